#!/usr/bin/env bash
# Everything that needs a GPU, in one run: builds for it, tests on it, checks kernels with compute-sanitizer, then times hone
# beside PyTorch. Ends with a short table; the figures are also in build-gpu/gpu.json.
#
#   benchmarks/gpu.sh                 all of it
#   --build DIR                       where to build and write (build-gpu)
#   --device N                        number of the GPU (0)
#   --skip-sanitizer, --skip-peer     without compute-sanitizer, without PyTorch
#   --times-only                      no tests: only for a tree whose tests have passed on this device
#
# Exit code 0: tests and checks passed. 2: bad usage. 3: there is no device, or no CUDA compiler. Else: something failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

build=build-gpu device=0 sanitizer=1 peer=1 tests=1
while [ $# -gt 0 ]; do
  case "$1" in
    --build) build=${2:?--build needs a folder}; shift 2 ;;
    --device) device=${2:?--device needs a number}; shift 2 ;;
    --skip-sanitizer) sanitizer=0; shift ;;
    --skip-peer) peer=0; shift ;;
    --times-only) tests=0; shift ;;
    *) sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
  esac
done

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L 2>/dev/null | grep -q "^GPU $device:"; then
  echo "gpu.sh: there is no GPU number $device here (nvidia-smi -L shows none): nothing was built, tested or timed." >&2
  exit 3
fi
nvcc=$(command -v nvcc || true)
for place in "${CUDACXX:-}" /usr/local/cuda/bin/nvcc; do
  if [ -z "$nvcc" ] && [ -n "$place" ] && [ -x "$place" ]; then nvcc=$place; fi
done
if [ -z "$nvcc" ]; then
  echo "gpu.sh: there is no nvcc: install the CUDA Toolkit 12 or newer, or name it: CUDACXX=PLACE benchmarks/gpu.sh" >&2
  exit 3
fi
export CUDA_DEVICE_ORDER=PCI_BUS_ID
nvidia-smi -i "$device" --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv,noheader

echo "=== building in $build"
mkdir -p "$build"
quietly "$build/configure.log" cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DHONE_CUDA=ON -DCMAKE_CUDA_COMPILER="$nvcc"
quietly "$build/build.log" cmake --build "$build" --parallel "$(jobs_for 3000)" --target \
  hone.test.cuda.operations hone.test.cuda.training hone.test.cuda.suites hone.bench.training_step_cuda finetune_imdb_cuda
"$build/examples/finetune_imdb_cuda" --info

# A program whose cases were skipped has shown nothing: exit code 4 is a failure here, but where optional=1.
optional=0
run_test() {
  local title=$1 code=0
  shift
  echo "=== $title"
  CUDA_VISIBLE_DEVICES=$device "$@" >"$build/test.log" 2>&1 || code=$?
  if [ "$code" -eq 4 ] && [ "$optional" -eq 1 ]; then
    grep SKIPPED "$build/test.log"
    code=0
  fi
  if [ "$code" -ne 0 ]; then
    cat "$build/test.log"
    echo "gpu.sh: $title failed (exit code $code); no times are taken" >&2
    exit 1
  fi
  tail -n 2 "$build/test.log"
}
if [ "$tests" -eq 1 ]; then
  for program in operations training; do
    run_test "cuda.$program" "$build/tests/cuda/hone.test.cuda.$program"
  done
  for program in "$build"/tests/cuda/hone.test.cuda.suite.*; do
    case "$program" in *parity*) optional=1 ;; *) optional=0 ;; esac  # parity needs stored values that may be absent
    run_test "${program##*hone.test.cuda.suite.} on the device" "$program"
  done
  optional=0
  if [ "$sanitizer" -eq 1 ] && command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck; do
      for program in operations training; do
        # Too large to be watched: the pebibyte; a captured graph is not run.
        run_test "compute-sanitizer $tool, cuda.$program" compute-sanitizer --tool "$tool" --error-exitcode 9 \
          "$build/tests/cuda/hone.test.cuda.$program" '~too much memory*' '~a step like the one before*'
      done
    done
  elif [ "$sanitizer" -eq 1 ]; then
    echo "compute-sanitizer is not installed: kernels were not checked with it"
  fi
  # The program that a user runs: it must learn the generated reviews, and twice the same.
  recorded=()
  for run in one two; do
    run_test "finetune_imdb_cuda, run $run" "$build/examples/finetune_imdb_cuda" --out "$build/demo-$run" --overwrite \
      --num-steps 300 "${recorded[@]}"
    recorded=(--algorithms "$build/demo-one/algorithms.jsonl")
  done
  if ! cmp "$build/demo-one/model.safetensors" "$build/demo-two/model.safetensors"; then
    echo "gpu.sh: two runs with the same seed and algorithms gave different weights" >&2
    exit 1
  fi
fi

echo "=== times"
CUDA_VISIBLE_DEVICES=$device "$build/benchmarks/training_step_cuda" | tee "$build/hone.jsonl"
: >"$build/peer.jsonl"
if [ "$peer" -eq 1 ] && python3 -c 'import torch, transformers; assert torch.cuda.is_available()' 2>/dev/null; then
  CUDA_VISIBLE_DEVICES=$device python3 benchmarks/training_step_torch.py | tee "$build/peer.jsonl"
elif [ "$peer" -eq 1 ]; then
  echo "PyTorch with CUDA and transformers is not installed: no peer was timed"
fi
python3 benchmarks/gpu_table.py "$build"
echo "all figures: $build/gpu.json"
