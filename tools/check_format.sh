#!/usr/bin/env bash
# Fails when a source is not as clang-format 16 leaves it, or clang-tidy 16 warns about a host file
# that the last commits changed. Skips with a reason where the tools are not installed.
#   tools/check_format.sh [BASE]     BASE: the commit to compare with; default: the parent
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v clang-format-16 >/dev/null; then
  echo "check_format: skipped, clang-format-16 is not installed"
  exit 0
fi
git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs clang-format-16 --dry-run --Werror

base=${1:-HEAD~1}
if ! command -v clang-tidy-16 >/dev/null; then
  echo "check_format: clang-tidy skipped, clang-tidy-16 is not installed"
elif [[ ! -f build/release/compile_commands.json ]]; then
  echo "check_format: clang-tidy skipped, configure the release preset first"
elif git rev-parse --verify --quiet "$base" >/dev/null; then
  git diff --name-only --diff-filter=d "$base" -- {engine,kernels,model,data,train,bench,tools}/'*.cpp' |
    xargs --no-run-if-empty --max-procs=2 --max-args=4 clang-tidy-16 --quiet -p build/release
fi
echo "check_format: passed"
