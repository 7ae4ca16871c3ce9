#!/usr/bin/env bash
# The real TensorBoard reads runs back. Ends with 4 where there is no Python.
#   tensorboard.sh SOURCE PROGRAMS SCRATCH
set -euo pipefail
source=$1 programs=$2 scratch=$3

python=$("$source/scripts/python_environment.sh") || exit 4
rm -rf "$scratch"
mkdir -p "$scratch"
"$programs/tensorboard_run" "$scratch"
exec "$python" "$source/tests/readback/tensorboard_read.py" "$scratch"
