#!/usr/bin/env bash
# benchmarks/gpu.sh where there is no GPU: it says so, builds nothing and answers 3.
set -euo pipefail
source_dir=$1 work_dir=$3
if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU '; then
  echo "SKIPPED: there is a GPU"
  exit 4
fi
rm -rf "$work_dir"
mkdir -p "$work_dir"
code=0
"$source_dir/benchmarks/gpu.sh" --build "$work_dir/build" >"$work_dir/output" 2>&1 || code=$?
cat "$work_dir/output"
[ "$code" -eq 3 ] || { echo "the exit code is $code, not 3"; exit 1; }
grep -q "no GPU" "$work_dir/output" || { echo "it does not say that there is no GPU"; exit 1; }
[ ! -e "$work_dir/build" ] || { echo "it built something"; exit 1; }
code=0
"$source_dir/benchmarks/gpu.sh" --what >"$work_dir/output" 2>&1 || code=$?
[ "$code" -eq 2 ] || { echo "a wrong option: exit code $code, not 2"; exit 1; }
