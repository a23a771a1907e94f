#!/usr/bin/env bash
# `lodestone tokenize` beside numpy, cell by cell, on one file: medians of three interleaved runs,
# after a check that both make the same tokens and values.
#
#   bench/compare_tokenize.sh CELLS.h5ad VOCAB.json [FOLDER]
#
# FOLDER (a temporary one by default) takes the token directories; on a memory file system the disk
# is out of the comparison: numpy writes nothing. LODESTONE names the binary, LODESTONE_PYTHON the
# Python.
set -euo pipefail
cells=$1 vocabulary=$2
folder=$(mktemp -d "${3:-${TMPDIR:-/tmp}}/compare-tokenize.XXXXXX")
trap 'rm -rf "$folder"' EXIT
lodestone=${LODESTONE:-build/release/lodestone} python=${LODESTONE_PYTHON:-/usr/bin/python3}
here=$(dirname "$0")

ours() {  # prints the seconds of the whole command, the hash of the input for its manifest included
  rm -rf "$folder/tokens"
  local begin=$EPOCHREALTIME
  "$lodestone" tokenize "$cells" --vocab "$vocabulary" --medians fit --out "$folder/tokens" --quiet >/dev/null
  echo "$begin $EPOCHREALTIME" | awk '{print $2 - $1}'
}
numpy() { "$python" "$here/tokenize_numpy.py" "$cells" "$vocabulary" --way "$1" "${@:2}"; }
field() { "$python" -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }

ours >/dev/null
count=$(numpy arrays --check "$folder/tokens" | field cells)
numpy names --cells 100 >/dev/null
for _ in 1 2 3; do
  ours >>"$folder/ours"
  for way in names arrays; do numpy "$way" | field seconds >>"$folder/$way"; done
done
median() { sort -g "$folder/$1" | sed -n 2p; }
echo "$count $(median ours) $(median names) $(median arrays)" | awk '{
  printf "same tokens and values; %d cells, medians of three runs\n", $1
  printf "lodestone                      %9.0f cells/s\n", $1 / $2
  printf "numpy, names (as published)    %9.0f cells/s  %6.1f x\n", $1 / $3, $3 / $2
  printf "numpy, arrays                  %9.0f cells/s  %6.1f x\n", $1 / $4, $4 / $2 }'
