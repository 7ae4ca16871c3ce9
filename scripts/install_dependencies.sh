#!/usr/bin/env bash
# Installs what hone needs and this machine lacks, as packages of the distribution (Debian 12, Ubuntu 24.04 or newer).
# Says what it installs and why; needs no root where nothing is missing, and changes nothing then.
#
#   scripts/install_dependencies.sh           everything, with what only tests, benchmarks and downloads need
#   scripts/install_dependencies.sh --run     what the library and the examples need; the rest if it can be installed
set -euo pipefail

run_only=false
case "${1:-}" in
  "") ;;
  --run) run_only=true ;;
  *) sed -n '2,6p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac

# has_header NAME...: is one of these headers in a usual place, or under CMAKE_PREFIX_PATH?
has_header() {
  local prefix name prefixes
  IFS=':;' read -r -a prefixes <<<"${CMAKE_PREFIX_PATH:-}:/usr:/usr/local:/opt/homebrew"
  for prefix in "${prefixes[@]}"; do
    for name in "$@"; do
      if [ -n "$prefix" ] && { [ -e "$prefix/include/$name" ] || [ -e "$prefix/include/eigen3/$name" ]; }; then return 0; fi
    done
  done
  return 1
}
has_program() { command -v "$1" >/dev/null 2>&1; }

# Needed by | package in Debian, Fedora, Arch, Homebrew | why | how it is recognised
# shellcheck disable=SC2016  # the checks are evaluated below
table='run|g++|gcc-c++|gcc||C++20 compiler|has_program "${CXX:-c++}"
run|make|make|make||builds|has_program make
run|cmake|cmake|cmake|cmake|configures the build|has_program cmake
run|libeigen3-dev|eigen3-devel|eigen|eigen|Eigen: matrices|has_header Eigen/Core
run|nlohmann-json3-dev|json-devel|nlohmann-json|nlohmann-json|nlohmann_json: JSON files|has_header nlohmann/json.hpp
run|libutf8proc-dev|utf8proc-devel|libutf8proc|utf8proc|utf8proc: Unicode|has_header utf8proc.h
run|libarchive-dev|libarchive-devel|libarchive|libarchive|libarchive: reads .tar.gz and .zip|has_header archive.h
run|libcli11-dev|cli11-devel|cli11|cli11|CLI11: command lines of the examples|has_header CLI/CLI.hpp
test|catch2|catch-devel|catch2|catch2|Catch2: tests|has_header catch2/catch_all.hpp catch2/catch.hpp
test|libbenchmark-dev|google-benchmark-devel|benchmark|google-benchmark|Google Benchmark: benchmarks|has_header benchmark/benchmark.h
test|curl|curl|curl||downloads of scripts/get_*.sh|has_program curl || has_program wget
test|ca-certificates|ca-certificates|ca-certificates||the same: certificates of servers|test -e /etc/ssl/certs/ca-certificates.crt || test -e /etc/ssl/cert.pem'

needed=() wished=()          # Debian packages: what cannot be done without, and what only the rest needs
dnf=() pacman=() brew=() lines=()
while IFS='|' read -r group debian fedora arch mac why check; do  # the last takes the rest of the line
  if eval "$check"; then continue; fi
  if [ "$group" = test ] && $run_only; then wished+=("$debian"); else needed+=("$debian"); fi
  dnf+=("$fedora") pacman+=("$arch")
  if [ -n "$mac" ]; then brew+=("$mac"); fi
  lines+=("$(printf '  %-20s %s' "$debian" "$why")")
done <<<"$table"

check_versions() {
  local version
  version=$(cmake --version | sed -n 's/^cmake version \([0-9]*\.[0-9]*\).*/\1/p')
  if [ "$(printf '%s\n3.24\n' "$version" | sort -V | head -n 1)" != 3.24 ]; then
    echo "hone: cmake $version is too old, 3.24 or later is needed (Debian 12 and Ubuntu 24.04 have it)." >&2
    exit 1
  fi
  if ! printf '#include <concepts>\n#include <span>\ntemplate <std::integral T> T f(T t) { return t; }\nint main() { return f(0); }\n' |
    "${CXX:-c++}" -std=c++20 -fsyntax-only -x c++ - >/dev/null 2>&1; then
    echo "hone: the compiler ${CXX:-c++} does not compile C++20. g++ 12, clang 14 or later are needed: set CXX to one." >&2
    exit 1
  fi
}

if [ ${#lines[@]} -eq 0 ]; then
  echo "hone: everything needed is installed."
  check_versions
  exit 0
fi

echo "hone: missing on this machine (as named in Debian and Ubuntu):"
printf '%s\n' "${lines[@]}"

if ! has_program apt-get; then
  echo "hone: this script installs on Debian and Ubuntu only. Elsewhere the packages should be called:" >&2
  if has_program dnf; then echo "  sudo dnf install ${dnf[*]}" >&2
  elif has_program pacman; then echo "  sudo pacman -S --needed ${pacman[*]}" >&2
  elif has_program brew; then echo "  brew install ${brew[*]}" >&2
  else printf '  %s\n' "Fedora:   ${dnf[*]}" "Arch:     ${pacman[*]}" "Homebrew: ${brew[*]}" >&2
  fi
  exit 1
fi

root=()
if [ "$(id -u)" -ne 0 ]; then
  if has_program sudo; then
    root=(sudo)
  elif [ ${#needed[@]} -eq 0 ]; then
    echo "hone: going on without what only tests, benchmarks and downloads need."
    exit 0
  else
    echo "hone: this needs root, and there is no sudo. Ask an administrator to run:" >&2
    echo "  apt-get install ${needed[*]}" >&2
    exit 1
  fi
fi

packages=("${needed[@]}" "${wished[@]}")
apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q)
install() { "${apt[@]}" install -y --no-install-recommends "${packages[@]}" </dev/null; }

# The lists of packages are fetched when they do not know a package, or when they turn out to be out of date.
updated=false
if [ "$(apt-cache policy "${packages[@]}" 2>/dev/null | grep -c 'Candidate: [^(]')" -lt ${#packages[@]} ]; then
  "${apt[@]}" update </dev/null || echo "hone: apt-get update failed; trying with the lists at hand." >&2
  updated=true
fi
echo "hone: installing them with ${root[*]:+${root[*]} }apt-get."
if ! install; then
  if $updated || ! "${apt[@]}" update </dev/null || ! install; then
    if [ ${#needed[@]} -eq 0 ]; then
      echo "hone: going on without what only tests, benchmarks and downloads need."
      exit 0
    fi
    echo "hone: apt-get could not install them (see above). By hand: apt-get update && apt-get install ${packages[*]}" >&2
    exit 1
  fi
fi
check_versions
