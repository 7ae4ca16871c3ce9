#!/usr/bin/env bash
# scripts/install_dependencies.sh on machines that are not this one, made of a PATH with stand-ins for apt-get and sudo and
# a copy of the script that looks for headers in an empty folder. Nothing is installed.
#   install_dependencies.sh SOURCE_DIR BUILD_DIR WORK_DIR
set -euo pipefail
source_dir=$1 work=$3
rm -rf "$work" && mkdir -p "$work/bin" "$work/include"

failures=0
fail() { echo "FAILED: $*"; echo "--- exit code $code, output:"; cat "$work/out"; failures=$((failures + 1)); }
stand_in() { printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1" && chmod +x "$work/bin/$1"; }
# run ARGUMENTS...: the script sees the tools of the system that it needs, and our stand-ins.
run() {
  code=0
  PATH=$work/bin bash "$work/install.sh" "$@" >"$work/out" 2>&1 </dev/null || code=$?
}
for tool in bash id sed grep sort head cat env cmake make c++ dirname curl wget; do
  if path=$(command -v $tool); then ln -sf "$path" "$work/bin/$tool"; fi
done

# A machine that has everything: no root, nothing run.
cp "$source_dir/scripts/install_dependencies.sh" "$work/install.sh"
stand_in id 'echo 1000'
run
{ [ "$code" = 0 ] && grep -q 'everything needed is installed' "$work/out"; } || fail "everything is there"

# The same script, but no header of a dependency is found.
sed "s|:/usr:/usr/local:/opt/homebrew|:$work|" "$source_dir/scripts/install_dependencies.sh" >"$work/install.sh"

run
{ [ "$code" = 1 ] && grep -q 'Fedora: .*eigen3-devel' "$work/out"; } || fail "no package manager that we know"
stand_in dnf :
run
{ [ "$code" = 1 ] && grep -q 'sudo dnf install .*eigen3-devel' "$work/out"; } || fail "Fedora"
rm "$work/bin/dnf"

stand_in apt-get "echo \"apt-get \$*\" >>$work/calls"
stand_in apt-cache 'shift; for p in "$@"; do echo "  Candidate: 1.0"; done'
run
{ [ "$code" = 1 ] && grep -q 'apt-get install libeigen3-dev' "$work/out" && [ ! -e "$work/calls" ]; } || fail "no root, no sudo"

stand_in sudo "echo sudo >>$work/calls; exec \"\$@\""
run
{ [ "$code" = 0 ] && grep -q '^sudo$' "$work/calls" && grep -q 'install -y.* libeigen3-dev .* libbenchmark-dev' "$work/calls" &&
  ! grep -q ' update' "$work/calls"; } || fail "with sudo"

rm -f "$work/calls"
stand_in id 'echo 0'
stand_in apt-cache :  # fresh lists: no candidate is known
run
{ [ "$code" = 0 ] && ! grep -q sudo "$work/calls" && head -n 1 "$work/calls" | grep -q ' update$'; } || fail "root, without lists"

stand_in apt-get "echo \"apt-get \$*\" >>$work/calls; exit 100"
run
{ [ "$code" = 1 ] && grep -q 'apt-get could not install' "$work/out"; } || fail "apt-get fails"

# What only tests and benchmarks need must not stop who wants to run.
for header in Eigen/Core nlohmann/json.hpp utf8proc.h archive.h CLI/CLI.hpp; do
  mkdir -p "$work/include/$(dirname $header)" && : >"$work/include/$header"
done
run --run
{ [ "$code" = 0 ] && grep -q 'going on without' "$work/out"; } || fail "only tests' packages are missing, --run"
run
[ "$code" = 1 ] || fail "only tests' packages are missing"

run --help
[ "$code" = 2 ] || fail "an argument it does not know"

[ "$failures" -eq 0 ] && echo "all as expected"
