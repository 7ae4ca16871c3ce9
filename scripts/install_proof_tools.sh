#!/usr/bin/env bash
# Installs what tests use to read hone's logs and pages with other people's programs: a browser without a window, and Python
# with wandb and tensorboard in an environment outside of the tree (scripts/python_environment.sh); and an emulator of older
# processors. Nothing else needs them: where they are missing those tests are skipped. Says what it could not get; ends with 0 when all is there.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

has_browser() { command -v chromium-headless-shell || command -v chromium || command -v google-chrome; }
has_venv() { python3 -c 'import venv, ensurepip'; }

packages=()
command -v qemu-x86_64 >/dev/null 2>&1 || packages+=(qemu-user)
has_venv >/dev/null 2>&1 || packages+=(python3 python3-venv)
has_browser >/dev/null 2>&1 || packages+=(chromium-headless-shell fonts-dejavu-core)  # Ubuntu has Chromium as a snap only

if [ ${#packages[@]} -gt 0 ] && command -v apt-get >/dev/null 2>&1; then
  root=()
  if [ "$(id -u)" -ne 0 ]; then root=(sudo -n); fi
  apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q)
  "${apt[@]}" update </dev/null >/dev/null
  for package in "${packages[@]}"; do  # one by one: what one distribution lacks must not stop the rest
    "${apt[@]}" install -y --no-install-recommends "$package" </dev/null >/dev/null
  done
fi

missing=0
has_browser >/dev/null 2>&1 || { echo "hone: no Chromium: the report page is not tested in a browser" >&2; missing=1; }
python=$(scripts/python_environment.sh) || { echo "hone: no Python environment: logs are not read by wandb and tensorboard" >&2; missing=1; }
[ "$missing" -eq 0 ] && echo "hone: tests read logs with $python and pages with $(has_browser)"
exit "$missing"
