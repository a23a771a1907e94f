#!/usr/bin/env bash
# Builds and runs every test. Installs what is missing first.
#   tools/test.sh              the release build
#   tools/test.sh asan         address and undefined-behaviour sanitizers (also: tsan, cuda)
# Tests that need data beside the project, or Python readers, skip with a reason where these are
# missing.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-release}
tools/install_packages.sh --tests
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
ctest --preset "$preset" --output-on-failure
