# Shared by the scripts; sourced, not run.
# shellcheck shell=bash

# jobs_for MIB: how many compilers may run at once: one per processor, and MIB of free memory for each.
jobs_for() {
  local processors memory
  processors=$(nproc 2>/dev/null || echo 2)
  memory=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null || true)
  if [ -n "$memory" ] && [ $((memory / 1024 / $1)) -lt "$processors" ]; then
    processors=$((memory / 1024 / $1))
  fi
  echo $((processors < 1 ? 1 : processors))
}

# quietly LOG COMMAND...: output goes to LOG, and is shown if the command fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    echo "hone: this failed: $*" >&2
    return 1
  fi
}
