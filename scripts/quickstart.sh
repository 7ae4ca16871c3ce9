#!/usr/bin/env bash
# From a fresh clone to a fine-tuned classifier: installs what is missing, builds in build/, and runs the main job.
#
#   scripts/quickstart.sh                            on an embedded corpus: nothing is downloaded, a few minutes
#   scripts/quickstart.sh --model DIR --data PATH    the real thing: a Hugging Face model folder, and IMDB as folder or archive
#
# Every argument is passed on to `build/examples/hone finetune`; --help lists them all.
set -euo pipefail
started_in=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
here=$PWD
source scripts/common.sh

scripts/install_dependencies.sh --run
quietly build/configure.log cmake --preset release -DHONE_BUILD_TESTS=OFF -DHONE_BUILD_BENCHMARKS=OFF
echo "hone: building the program (once; about two minutes) ..."
quietly build/build.log cmake --build build --parallel "$(jobs_for 1500)" --target hone_program

cd "$started_in"  # so that relative paths mean what the caller meant
exec "$here/build/examples/hone" finetune "$@"
