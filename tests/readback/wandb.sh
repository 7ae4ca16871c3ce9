#!/usr/bin/env bash
# The real wandb package reads runs back and uploads them to a server on this machine. Ends with 4 where there is no Python.
#   wandb.sh SOURCE PROGRAMS SCRATCH
set -euo pipefail
source=$1 programs=$2 scratch=$3

python=$("$source/scripts/python_environment.sh") || exit 4
exec "$python" "$source/tests/readback/wandb_sync.py" "$programs/wandb_run" "$scratch"
