#!/usr/bin/env bash
# The real wandb package reads runs back and uploads them to a server on this machine. Ends with 4 where there is no Python.
#   wandb.sh SOURCE PROGRAMS SCRATCH
set -euo pipefail
source=$1 programs=$2 scratch=$3

python=$("$source/scripts/python_environment.sh") || exit 4
real=()
if [ -n "${HONE_PROGRAM:-}" ]; then  # a run of the program itself
  rm -rf "$scratch" "$scratch-run"
  "$HONE_PROGRAM" finetune --train-examples 200 --table-every 10 --wandb --out "$scratch-run" </dev/null >/dev/null
  for log in "$scratch-run"/wandb/latest-run/run-*.wandb; do printf torn >>"$log"; done  # as a kill may leave it
  "$HONE_PROGRAM" info "$scratch-run" --json | grep '"torn_bytes_cut_off": 4' || { echo "hone info has not repaired the log"; exit 1; }
  real=("$scratch-run")
fi
"$python" "$source/tests/readback/wandb_sync.py" "$programs/wandb_run" "$scratch" "${real[@]}"
rm -rf "$scratch" "$scratch-run"
