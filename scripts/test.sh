#!/usr/bin/env bash
# Installs what is missing, builds everything, runs every test; ends with ctest's summary.
#
#   scripts/test.sh                  Release, in build/
#   scripts/test.sh --preset NAME    another preset of CMakePresets.json, in build-NAME/: asan, dev, ci-gcc, ci-clang
#   --werror                         warnings are errors
#   --junit FILE                     also write the results as JUnit XML
#   --build-seconds N                builds no longer than that: tests that are not built then are named and left out
#   -- ARGUMENTS...                  for ctest: scripts/test.sh -- -R tokenizer
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

preset=release build_seconds="" configure=() test=()
while [ $# -gt 0 ]; do
  case "$1" in
    --preset) preset=${2:?--preset needs a name}; shift 2 ;;
    --werror) configure+=(-DHONE_WERROR=ON); shift ;;
    --junit) test+=(--output-junit "$(realpath -m "${2:?--junit needs a file}")"); shift 2 ;;
    --build-seconds) build_seconds=${2:?--build-seconds needs a number}; shift 2 ;;
    --) shift; test+=("$@"); break ;;
    *) sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
  esac
done
mebibytes=1500  # memory of one compiler
if [ "$preset" = asan ]; then mebibytes=2500; fi

scripts/install_dependencies.sh
cmake --preset "$preset" "${configure[@]}"
build=(cmake --build --preset "$preset" --parallel "$(jobs_for $mebibytes)")
if [ -z "$build_seconds" ]; then
  "${build[@]}"
else
  directory=build-$preset code=0
  if [ "$preset" = release ]; then directory=build; fi
  timeout "$build_seconds" "${build[@]}" || code=$?
  if [ "$code" -ne 0 ] && [ "$code" -ne 124 ]; then exit "$code"; fi
  # A test program that is not there is known to ctest as NAME_NOT_BUILT.
  ctest --preset "$preset" -N | sed -n 's/^ *Test *#[0-9]*: hone\.test\.\(.*\)_NOT_BUILT.*$/\1/p' >"$directory/not_built.txt"
  if [ -s "$directory/not_built.txt" ]; then
    left_out='_NOT_BUILT|^parity\.pretrained\.'
    echo "parity.pretrained" >>"$directory/not_built.txt"  # runs for a quarter of an hour on a machine that slow
    # Scripts that run these programs.
    for program in examples/{hone,finetune_imdb,predict,own_backend} \
      tests/readback/{report_page,tensorboard_run,wandb_run} tests/odr/hone.test.odr.two_files; do
      if [ ! -x "$directory/$program" ]; then
        echo "$program" >>"$directory/not_built.txt"
        left_out+='|^examples?\.|^readback\.|^odr\.'
      fi
    done
    sort -u -o "$directory/not_built.txt" "$directory/not_built.txt"
    echo "not built within $build_seconds seconds, and not run: $(paste -sd ' ' "$directory/not_built.txt")"
    test+=(--exclude-regex "$left_out")
  fi
fi
ctest --preset "$preset" --parallel "$(jobs_for $mebibytes)" "${test[@]}"
