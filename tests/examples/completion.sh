#!/usr/bin/env bash
# The completion scripts of hone: bash completes commands, options, values and files by them; zsh and fish can read theirs.
#   completion.sh FOLDER_OF_THE_PROGRAMS WORK_DIR
set -uo pipefail
hone=$1/hone work=$2
rm -rf "$work" && mkdir -p "$work" && cd "$work" || exit 1

failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

"$hone" completion bash >hone.bash || fail "completion bash"
bash -n hone.bash || fail "bash cannot read the script"
# shellcheck disable=SC1091
source ./hone.bash
mkdir 'a folder' runs
# completed WORDS...: what the last word can become, in one line
completed() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  COMPREPLY=()
  _hone
  [ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' '
}
expect() { # expect 'ANSWER' WORDS...
  local wanted=$1 got
  shift
  got=$(completed "$@")
  [ "$got" = "$wanted" ] || fail "'$*' completes to '$got', not '$wanted'"
}
expect 'inspect ' hone ins
expect 'compare completion ' hone com
expect '--star-loss-weight ' hone finetune --star
expect '--no-wandb --no-wandb-model ' hone finetune --no-w
expect 'random ' hone inspect runs --sort r
expect 'auto jsonl text ' hone predict runs --format ''
expect 'bash fish zsh ' hone completion ''
expect 'runs ' hone predict ru
expect 'a folder ' hone finetune --model a
expect '' hone finetune --lr ''
expect '--help --version -h ' hone -
for command in finetune evaluate predict inspect compare report doctor info completion; do
  [[ " $(completed hone '') " == *" $command "* ]] || fail "hone TAB does not offer $command"
  for option in $("$hone" "$command" --help | sed -n 's/^  \(--[a-z][a-z-]*\).*/\1/p'); do
    [[ " $(completed hone "$command" "$option") " == *" $option "* ]] || fail "hone $command $option TAB"
  done
done

for shell in zsh fish; do
  "$hone" completion $shell >"hone.$shell" || fail "completion $shell"
  grep -q -- finetune "hone.$shell" || fail "completion $shell: no finetune"
  if command -v $shell >/dev/null; then $shell -n "hone.$shell" || fail "$shell cannot read its script"; fi
done

[ "$failures" -eq 0 ] && echo "all as expected"
