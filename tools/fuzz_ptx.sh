#!/usr/bin/env bash
# Feeds the PTX parser and decoder of tests/gpu with changed PTX for a while, under the address and
# undefined-behaviour sanitizers. Needs clang-16, libclang-rt-16-dev and nvcc.
#   tools/fuzz_ptx.sh SECONDS [BUILD_FOLDER]
# Starts from the kernels of this project, one a file, and what earlier runs in the same folder
# found. A finding stops it; the text lies in BUILD_FOLDER/findings, and the command to see it again
# is `BUILD_FOLDER/fuzz_ptx FILE`.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: tools/fuzz_ptx.sh SECONDS [BUILD_FOLDER]}
build=${2:-build/fuzz}
nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
cmake -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++-16 \
  -DCMAKE_C_COMPILER=clang-16 -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1" >/dev/null
ninja -C "$build" -j "${JOBS:-$(nproc)}" fuzz_ptx

mkdir -p "$build/seeds" "$build/corpus" "$build/findings"
rm -f "$build"/seeds/*
# Every function of a module becomes a module, with what stands before the first.
for source in tests/gpu/kernels/*.cu tests/gpu/conformance/*.cu kernels/cuda/*.cu; do
  "$nvcc" -std=c++20 --expt-relaxed-constexpr -I. -I"$build/generated" -O3 -arch=compute_90a -ptx \
    "$source" -o "$build/kernels.ptx" || continue  # what does not compile gives no seeds
  awk -v name="$build/seeds/$(basename "$source" .cu)" '
    /^(\.visible |\.weak )?\.(entry|func)/ { file = sprintf("%s.%d.ptx", name, ++count); printf "%s", head > file }
    file == "" { head = head $0 "\n"; next }
    { print > file }
    /^}/ { close(file) }' "$build/kernels.ptx"
done
sed -n '/R"(/,/^)"/p' tests/gpu/parser_test.cpp | sed '1d;$d' >"$build/seeds/parser_test.ptx"
grep -ohE '"[][a-z0-9_.:|()]+"' tests/gpu/emulator/*.cpp | tr -d '"[]()' | tr '|' '\n' | grep -E '.{2,}' | sort -u |
  sed 's/.*/"&"/' >"$build/opcodes.dict"

"$build/fuzz_ptx" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=6000 \
  -print_final_stats=1 -dict="$build/opcodes.dict" -artifact_prefix="$build/findings/" \
  "$build/corpus" "$build/seeds"
