#!/usr/bin/env bash
# run.sh PROCESSOR TEST_OF_INSTRUCTION_SETS TEST_OF_PRODUCTS FINETUNE SCRATCH: nothing that PROCESSOR lacks is executed.
set -euo pipefail
processor=$1 instruction_set=$2 products=$3 finetune=$4 scratch=$5
command -v qemu-x86_64 >/dev/null || { echo "no qemu-x86_64 (package qemu-user): skipped"; exit 4; }
[ "$(uname -m)" = x86_64 ] || { echo "not an x86-64 machine: skipped"; exit 4; }
on() { qemu-x86_64 -cpu "$processor" "$@" 2> >(grep -v "TCG doesn't support requested feature" >&2); }

rm -rf "$scratch" && mkdir -p "$scratch"
on "$instruction_set"
# Few rows and small batches: qemu emulates multiply-adds by software.
on "$products" "linear layers with what is behind them agree with the reference"
on "$finetune" --out "$scratch/run" --train-examples 64 --test-examples 16 --num-steps 3 --batch-size 8 --max-length 64 \
  --no-doctor --no-report | tee "$scratch/output"
case $processor in  # what it must have chosen
  Nehalem) grep -q 'precision fp32: on portable' "$scratch/output" ;;
  Haswell) grep -q 'precision fp32: on avx2' "$scratch/output" ;;
esac
