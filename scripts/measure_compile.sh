#!/usr/bin/env bash
# Measures what compiling hone costs: seconds and memory of the umbrella header and of the example (header-only, and with
# what hone::kernels compiles once), of the slowest tests.
# Goals: the umbrella header in 3 s and 0.4 GiB, the example in 15 s.
#
#   scripts/measure_compile.sh        all of it, with the compiler at hand
#   --compiler PROGRAM                g++, clang++, ... ($CXX, else g++)
#   --rounds N                        of each; the least time counts, since others only add to it (3)
#   --only NAME,...                   umbrella, example, apart, tests
#   --flags "FLAGS"                   besides -std=c++20 -O2: "-march=native"
#
# Exit code 0: the goals were met. 1: not all of them, or something does not compile. 2: bad usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compiler=${CXX:-g++} rounds=3 only=umbrella,example,apart,tests flags=()
while [ $# -gt 0 ]; do
  case "$1" in
    --compiler) compiler=${2:?--compiler needs a program}; shift 2 ;;
    --rounds) rounds=${2:?--rounds needs a number}; shift 2 ;;
    --only) only=${2:?--only needs names}; shift 2 ;;
    --flags) read -r -a flags <<<"${2:?--flags needs flags}"; shift 2 ;;
    *) sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
  esac
done
command -v "$compiler" >/dev/null || { echo "measure_compile.sh: there is no $compiler" >&2; exit 2; }
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT

# Runs a command; prints its seconds and the most memory that it or one of its processes had, in KiB.
cat >"$files/cost.cpp" <<'END'
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

int main(int, char** command) {
  auto const begin = std::chrono::steady_clock::now();
  pid_t const child = fork();
  if (child == 0) {
    execvp(command[1], command + 1);
    _exit(127);
  }
  int status = 0;
  rusage used{};
  wait4(child, &status, 0, &used);
  std::printf("%.2f %ld\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), used.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
END
"$compiler" -std=c++20 "$files/cost.cpp" -o "$files/cost"
printf '#include <hone/hone.hpp>\nint main() {}\n' >"$files/umbrella.cpp"

includes=(-Iinclude)
for package in eigen3 nlohmann_json libutf8proc libarchive; do
  read -r -a found <<<"$(pkg-config --cflags-only-I "$package" 2>/dev/null || true)"
  includes+=("${found[@]}")
done
if [ -d /usr/include/eigen3 ]; then includes+=(-I/usr/include/eigen3); fi

missed=0
# measure NAME GOAL_SECONDS GOAL_GIB FILE FLAGS...: a goal of 0 is none.
measure() {
  local name=$1 seconds_goal=$2 memory_goal=$3 file=$4 best='' memory=0 cost
  shift 4
  for ((round = 0; round < rounds; ++round)); do
    if ! cost=$("$files/cost" "$compiler" -std=c++20 "$@" "${flags[@]}" "${includes[@]}" -c "$file" -o "$files/out.o" \
      2>"$files/errors"); then
      head -n 20 "$files/errors" >&2
      printf '%-36s does not compile\n' "$name"
      missed=1
      return
    fi
    read -r cost memory <<<"$cost"
    best=$(printf '%s\n' "$best" "$cost" | sort -g | grep -m 1 .)
  done
  awk -v name="$name" -v s="$best" -v kib="$memory" -v sg="$seconds_goal" -v mg="$memory_goal" 'BEGIN {
    gib = kib / 1048576
    goal = ""
    if (sg > 0) goal = "goal " sg " s"
    if (mg > 0) goal = goal ", " mg " GiB"
    bad = (sg > 0 && s > sg) || (mg > 0 && gib > mg)
    printf "%-36s %7.1f s %6.2f GiB  %s%s\n", name, s, gib, goal, bad ? ": missed" : ""
    exit bad }' || missed=1
}

"$compiler" --version | head -n 1
echo "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1); least of $rounds"
for what in ${only//,/ }; do
  case "$what" in
    umbrella)
      measure "hone/hone.hpp" 3 0.4 "$files/umbrella.cpp" -O2
      measure "the same with hone::kernels" 3 0.4 "$files/umbrella.cpp" -O2 -DHONE_KERNELS_ELSEWHERE
      ;;
    example) measure "examples/finetune_imdb.cpp" 15 0 examples/finetune_imdb.cpp -O2 ;;
    apart)
      measure "the same with hone::kernels" 15 0 examples/finetune_imdb.cpp -O2 -DHONE_KERNELS_ELSEWHERE
      measure "its command line, with it" 0 0 examples/finetune_options.cpp -O2 -DHONE_KERNELS_ELSEWHERE ;;
    tests)
      for test in parity/tiny law/determinism gradient/encoder_block unit/trainer; do
        measure "tests/$test.cpp" 0 0 "tests/$test.cpp" -O1 -DHONE_KERNELS_ELSEWHERE -Itests "-DHONE_SOURCE_DIR=\"$PWD\""
      done ;;
    *) echo "measure_compile.sh: --only $what: umbrella, example, apart or tests" >&2; exit 2 ;;
  esac
done
exit "$missed"
