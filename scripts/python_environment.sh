#!/usr/bin/env bash
# Prints the path of a Python that has what reads hone's logs in tests: wandb, tensorboard, a client for websockets.
# hone itself needs no Python. The environment is made at the first call, outside of the tree:
# $HONE_PYTHON_ENVIRONMENT, else ~/.cache/hone/python-NUMBER. Ends with 4 where it cannot be made (no network, no python3).
set -uo pipefail

packages=(wandb==0.31.0 tensorboard==2.21.0 websocket-client==1.9.2 setuptools)
number=$(printf '%s\n' "${packages[@]}" | cksum | cut -d ' ' -f 1)
folder=${HONE_PYTHON_ENVIRONMENT:-${XDG_CACHE_HOME:-$HOME/.cache}/hone/python-$number}

if [ ! -e "$folder/complete" ]; then
  mkdir -p "$(dirname "$folder")" || exit 4
  exec 9>"$folder.lock"  # several tests may ask at once
  flock 9 || exit 4
  if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    { python3 -m venv "$folder" &&
      "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: "${packages[@]}" &&
      : >"$folder/complete"; } >&2 || { echo "hone: no Python environment could be made in $folder" >&2; exit 4; }
  fi
fi
printf '%s\n' "$folder/bin/python"
