#!/usr/bin/env bash
# Installs what is missing, builds everything, runs every test; ends with ctest's summary.
#
#   scripts/test.sh                  Release, in build/
#   scripts/test.sh --preset NAME    another preset of CMakePresets.json, in build-NAME/: asan, dev, ci-gcc, ci-clang
#   --werror                         warnings are errors
#   --junit FILE                     also write the results as JUnit XML
#   -- ARGUMENTS...                  for ctest: scripts/test.sh -- -R tokenizer
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

preset=release configure=() test=()
while [ $# -gt 0 ]; do
  case "$1" in
    --preset) preset=${2:?--preset needs a name}; shift 2 ;;
    --werror) configure+=(-DHONE_WERROR=ON); shift ;;
    --junit) test+=(--output-junit "$(realpath -m "${2:?--junit needs a file}")"); shift 2 ;;
    --) shift; test+=("$@"); break ;;
    *) sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
  esac
done
mebibytes=1500  # memory of one compiler
if [ "$preset" = asan ]; then mebibytes=2500; fi

scripts/install_dependencies.sh
cmake --preset "$preset" "${configure[@]}"
cmake --build --preset "$preset" --parallel "$(jobs_for $mebibytes)"
ctest --preset "$preset" --parallel "$(jobs_for $mebibytes)" "${test[@]}"
