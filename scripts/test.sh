#!/usr/bin/env bash
# Installs what is missing, builds everything, runs every test; ends with ctest's summary.
#
#   scripts/test.sh                  Release, in build/
#   scripts/test.sh --preset NAME    another preset of CMakePresets.json, in build-NAME/: asan, dev, ci-gcc, ci-clang
#                                    (asan is built by clang++ where there is one and CXX names no other compiler)
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
    *) sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
  esac
done
mebibytes=1500  # memory of one compiler
if [ "$preset" = asan ]; then mebibytes=2500; fi

# works_with_sanitizers COMPILER: is it there, and does what it makes run?
works_with_sanitizers() {
  local folder code=0
  folder=$(mktemp -d)
  printf '#include <string>\nint main(int n, char**) { return int(std::string(n, 0).size()) - n; }\n' >"$folder/program.cpp"
  "$1" -std=c++20 -fsanitize=address,undefined "$folder/program.cpp" -o "$folder/program" >/dev/null 2>&1 &&
    "$folder/program" >/dev/null 2>&1 || code=1
  rm -rf "$folder"
  return "$code"
}
# Not optimised and with both sanitizers, clang++ compiles this library in less than half of g++'s time.
if [ "$preset" = asan ] && [ -z "${CXX:-}" ] && [ ! -f build-asan/CMakeCache.txt ] && works_with_sanitizers clang++; then
  configure+=(-DCMAKE_CXX_COMPILER=clang++)
fi

scripts/install_dependencies.sh
cmake --preset "$preset" "${configure[@]}"
cmake --build --preset "$preset" --parallel "$(jobs_for $mebibytes)"
ctest --preset "$preset" --parallel "$(jobs_for $mebibytes)" "${test[@]}"
