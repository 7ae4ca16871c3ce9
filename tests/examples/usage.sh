#!/usr/bin/env bash
# Wrong ways to call finetune_imdb: one sentence with a number on standard error, exit code 1, nothing written.
#   usage.sh FOLDER_OF_THE_PROGRAMS WORK_DIR
set -uo pipefail
program=$1/finetune_imdb work=$2
rm -rf "$work" && mkdir -p "$work" && cd "$work" || exit 1

failures=0
# refused NUMBER ARGUMENTS...
refused() {
  local number=$1 code=0
  shift
  "$program" "$@" >out 2>err </dev/null || code=$?
  if [ "$code" -ne 1 ] || [ "$(grep -c "^\[hone-E$number\] .*Next: " err)" -ne 1 ]; then
    echo "FAILED: finetune_imdb $* answered $code instead of 1 with one line of hone-E$number:"
    cat out err
    failures=$((failures + 1))
  fi
}

"$program" --help >out 2>err </dev/null || { echo "FAILED: --help"; failures=$((failures + 1)); }
for option in model data out lr batch-size step-every epochs weight-decay num-steps star-loss-weight clip-norm max-length \
  dropout seed train-examples test-examples eval-batch eval-every threads warmup; do
  grep -q -- "--$option " out || { echo "FAILED: --help does not explain --$option"; failures=$((failures + 1)); }
done

refused 901 --no-such-option
refused 901 --batch-size 0
refused 901 --lr fast
refused 902 --data "$work"
refused 902 --model "$work"
refused '2[0-9][0-9]' --model "$work/no-such-model" --data "$work"
left=$(find . -type f ! -name out ! -name err)
[ -z "$left" ] || { echo "FAILED: left behind: $left"; failures=$((failures + 1)); }

[ "$failures" -eq 0 ] && echo "all as expected"
