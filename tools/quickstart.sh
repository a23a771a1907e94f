#!/usr/bin/env bash
# From a fresh machine to a pretrained model and a page that shows it, in one command.
#   tools/quickstart.sh                     on simulated human and mouse cells
#   tools/quickstart.sh CELLS.h5ad…         on your own raw counts (Ensembl gene ids)
# Installs what is needed (root or sudo), builds, and runs: cells -> vocabulary -> tokens ->
# pretraining of a small GeneCompass -> cell embeddings -> label transfer -> report.html.
# Results go to quickstart-run/ (or quickstart-run-2/, …); OUT=DIR names another folder.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
files=()
for file in "$@"; do
  [[ -f "$file" ]] || { echo "quickstart: $file: no such file" >&2; exit 3; }
  files+=("$(realpath "$file")")
done
cd "$here"

say() { printf '\n== %s\n' "$*"; }

base=${OUT:-quickstart-run}
out=$base
for ((n = 2; ; ++n)); do
  [[ -e "$out" ]] || break
  out=$base-$n
done
mkdir -p "$out"

say "packages and build"
tools/install_packages.sh
cmake --preset release >/dev/null
cmake --build --preset release --target lodestone
lodestone() { build/release/lodestone "$@"; }

say "cells and vocabulary"
if [[ ${#files[@]} -eq 0 ]]; then
  lodestone simulate --out "$out/cells" --cells 1000 --genes 500 --depth 1500
  files=("$out/cells/human.h5ad" "$out/cells/mouse.h5ad")
  lodestone vocab --genes "$out/cells/genes_human.tsv" --genes "$out/cells/genes_mouse.tsv" \
    --orthologs "$out/cells/orthologs.tsv" --out "$out/vocab.json"
else
  cells=()
  for file in "${files[@]}"; do cells+=(--cells "$file"); done
  lodestone vocab "${cells[@]}" --out "$out/vocab.json"
fi

say "tokens"
lodestone tokenize "${files[@]}" --vocab "$out/vocab.json" --out "$out/tokens"

say "pretraining"
lodestone pretrain --config tools/quickstart.toml --data "$out/tokens" --out "$out/run"
lodestone evaluate pretraining "$out/run" --out "$out/pretraining.json"

say "embeddings"  # the mean over genes: so short a training leaves little in the CLS state
results=(--result "$out/pretraining.json")
embedded=()
number=0
for file in "${files[@]}"; do
  number=$((number + 1))
  target="$out/$number-$(basename "$file" .h5ad).embedded.h5ad"
  lodestone embed --model "$out/run/model" --input "$file" --output "$target" --pooling mean
  embedded+=(--embedding "$target")
done
if lodestone evaluate embedding "${files[@]}" --model "$out/run/model" --set embedding.pooling=mean \
  --out "$out/embedding.json"; then
  results+=(--result "$out/embedding.json")
else
  echo "quickstart: no label transfer: the cells have no obs column cell_type"
fi

say "report"
lodestone report "$out/run" "${embedded[@]}" "${results[@]}" --out "$out/report.html"

cat <<DONE

Everything lies in $out/
  report.html          curves, embeddings and scores: open this
  run/model            the model (config.json, model.safetensors, vocab.json)
  run/metrics.jsonl    one line a step;  run/checkpoints: to go on with --resume
  *.embedded.h5ad      your cells with obsm/X_lodestone
  tokens, vocab.json   what the model was trained on
DONE
