#!/usr/bin/env bash
# Builds the relocatable package build/package/lodestone-VERSION-cuda.tar.gz, for any processor with
# AVX2 and any machine with glibc 2.36, and checks it: its size, and that it starts in a bare root.
#   tools/package.sh
set -euo pipefail
cd "$(dirname "$0")/.."

most_bytes=$((60 << 20))
rm -f build/package/lodestone-*.tar.gz
cmake --preset package >/dev/null
cmake --build --preset package ${JOBS:+--parallel "$JOBS"}
cpack --config build/package/CPackConfig.cmake -B build/package >/dev/null
package=$(echo build/package/lodestone-*.tar.gz)
bytes=$(stat -c %s "$package")
((bytes < most_bytes)) || { echo "package: $package has $bytes bytes, more than the $most_bytes that it may have" >&2; exit 1; }
tools/check_package.sh "$package" || (($? == 77))
echo "package: $package, $bytes bytes, sha256 $(sha256sum <"$package" | cut -d' ' -f1)"
