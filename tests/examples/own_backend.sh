#!/usr/bin/env bash
# A backend of a user's own trains, on its own kernels, to the losses of the reference; its file has less than 100 lines.
#   own_backend.sh FOLDER_OF_THE_PROGRAMS WORK_DIR
set -uo pipefail
program=$1/own_backend work=$2
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples" && pwd)/own_backend.cpp
rm -rf "$work" && mkdir -p "$work" && cd "$work" || exit 1

failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

"$program" 40 >out 2>&1 </dev/null || fail "the program answered $?"
grep -q '^both agree$' out || fail "it does not agree with the reference"
first=$(sed -n 's/^mine: cross entropy \([0-9.e-]*\) at step 1, .*/\1/p' out)
last=$(sed -n 's/^mine: .*, \([0-9.e-]*\) at step 40$/\1/p' out)
awk -v a="$first" -v b="$last" 'BEGIN { exit !(a > 0.5 && b < 0.8 * a) }' || fail "the loss went from '$first' to '$last'"
# 40 steps of one batch; each forward has 4 products in the first block, 5 in the last, whose queries are apart, and 2 heads.
grep -q '^  products on the rung mine: 440, multiplications: [1-9][0-9]*$' out || fail "its kernel did not run each time"
"$program" 40 >again 2>&1 </dev/null
cmp out again || fail "two runs differ"
[ "$(wc -l <"$source")" -lt 100 ] || fail "the file has $(wc -l <"$source") lines"

[ "$failures" -eq 0 ] || { cat out; exit 1; }
echo "all as expected"
