#!/usr/bin/env bash
# Times hone and PyTorch on this processor, turn by turn in one run, on the same reviews: training at the settings of a plain
# PyTorch program, training with PyTorch at its best, evaluation. Prints a table; all figures are in WORK/peer_cpu.jsonl.
# A few small steps show first whether PyTorch's bf16 or fp32 is hopeless here; then only the better one is its best.
#
#   benchmarks/peer_cpu.sh            all of it
#   --models NAME,...                 minilm, bert-base (both)
#   --parts NAME,...                  plain, best, evaluation (all three)
#   --rounds N                        turns of each; the table has their medians (3)
#   --steps N                         steps of 16 reviews of a turn at plain settings; the first two are not counted (5)
#   --best-steps N                    the same with PyTorch at its best (14)
#   --reviews N                       reviews that are evaluated (512)
#   --hone PROGRAM                    the program hone (build/examples/hone, built when it is not there)
#   --peer FILE                       a script as torch_peer.py ($HONE_TORCH_PEER, else ../shared/tools/torch_peer.py)
#   --data DIR                        its data: models/, vocab/, imdb/ ($HONE_SHARED_DATA, else ../shared/data)
#   --work DIR                        where archives, runs and figures go (a new folder in /tmp)
#   --table FILE                      times nothing: the table of an earlier peer_cpu.jsonl
#
# PyTorch is looked for in $HONE_PEER_ENVIRONMENT, else ~/.cache/hone/peer, and is installed there when it is missing.
# Nothing else should run meanwhile: both sides use all processors.
# Exit code 0: every goal was met. 1: not every one, or something failed. 2: bad usage. 4: no PyTorch, or no data.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

hone=build/examples/hone peer=${HONE_TORCH_PEER:-../shared/tools/torch_peer.py} data=${HONE_SHARED_DATA:-../shared/data}
work='' table='' options=()
while [ $# -gt 0 ]; do
  case "$1" in
    --models | --parts | --rounds | --steps | --best-steps | --reviews) options+=("$1" "${2:?$1 needs a value}"); shift 2 ;;
    --hone) hone=${2:?--hone needs a program}; shift 2 ;;
    --peer) peer=${2:?--peer needs a file}; shift 2 ;;
    --data) data=${2:?--data needs a folder}; shift 2 ;;
    --work) work=${2:?--work needs a folder}; shift 2 ;;
    --table) table=${2:?--table needs a file}; shift 2 ;;
    *) sed -n '2,21p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
  esac
done
if [ -n "$table" ]; then
  exec python3 benchmarks/peer_cpu.py --table "$table"
fi

for needed in "$peer" "$data/imdb/aclImdb-labelled.tar.gz"; do
  [ -e "$needed" ] || { echo "peer_cpu.sh: there is no $needed (--help names the options)" >&2; exit 4; }
done
work=${work:-$(mktemp -d -t hone-peer-XXXXXX)}
mkdir -p "$work"

environment=${HONE_PEER_ENVIRONMENT:-${XDG_CACHE_HOME:-$HOME/.cache}/hone/peer}
if ! "$environment/bin/python" -c 'import torch, transformers, tokenizers, safetensors' 2>/dev/null; then
  echo "installing PyTorch in $environment"
  { mkdir -p "$(dirname "$environment")" && python3 -m venv "$environment" &&
    quietly "$work/pip.log" "$environment/bin/python" -m pip install --disable-pip-version-check \
      torch transformers tokenizers safetensors; } || exit 4
fi

# The allocator that PyTorch is fastest with: installed, else unpacked in the environment without being installed.
find_tcmalloc() {
  { ldconfig -p 2>/dev/null | sed -n 's/.*=> \(.*libtcmalloc_minimal\.so\.4.*\)/\1/p'
    find "$environment/tcmalloc" -name 'libtcmalloc_minimal.so.4' 2>/dev/null || true; } | sed -n 1p
}
tcmalloc=$(find_tcmalloc)
if [ -z "$tcmalloc" ] && command -v apt-get >/dev/null; then
  package=$(apt-cache pkgnames libtcmalloc-minimal4 2>/dev/null | sort | tail -n 1)
  mkdir -p "$environment/tcmalloc"
  (cd "$environment/tcmalloc" && apt-get download "${package:-libtcmalloc-minimal4}" &&
    for file in ./*.deb; do dpkg -x "$file" .; done) >"$work/tcmalloc.log" 2>&1 || true
  tcmalloc=$(find_tcmalloc)
fi

if [ ! -x "$hone" ]; then
  echo "building $hone"
  quietly "$work/configure.log" cmake -S . -B build -DCMAKE_BUILD_TYPE=Release
  quietly "$work/build.log" cmake --build build --parallel "$(jobs_for 1500)" --target hone_program
fi
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
exec "$environment/bin/python" benchmarks/peer_cpu.py --peer "$peer" \
  --data "$(realpath "$data")" --hone "$(realpath "$hone")" --work "$(realpath "$work")" \
  --tcmalloc "$tcmalloc" "${options[@]}"
