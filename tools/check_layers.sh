#!/usr/bin/env bash
# Fails when a file includes a floor above its own. A line: <folder>: <folders it may include>.
cd "$(dirname "$0")/.." || exit 1
rules='
engine/core: engine/core
kernels: engine/core kernels
engine/memory: engine/core engine/memory
engine/tensor: engine/core engine/memory engine/tensor kernels
engine/autograd: engine/core engine/tensor engine/autograd kernels/gradient
engine/ops: engine/core engine/tensor engine/autograd engine/ops kernels
engine: engine kernels
model: model engine
data: data engine model/batch
train: train model data engine kernels
bench: bench train model data engine kernels
'
status=0
while IFS= read -r file; do
  allowed=$(echo "$rules" | while IFS=: read -r folder may; do
    [ -n "$folder" ] || continue
    case "$file" in "$folder"/* | "$folder".*) echo "$may"; break ;; esac
  done)
  while IFS= read -r include; do
    ok=no
    for prefix in $allowed; do
      case "$include" in "$prefix"/* | "$prefix".*) ok=yes ;; esac
    done
    [ $ok = yes ] || { echo "$file must not include $include"; status=1; }
  done < <(sed -n 's/^#include "\(.*\)"/\1/p' "$file")
  case "$file" in
    kernels/cuda/* | engine/core/cuda.* | engine/memory/cuda_allocator.cpp | engine/dist/nccl_communicator.cpp) ;;
    *) grep -nE '^#include <(cuda|nccl|cublas|cudnn)' "$file" && { echo "$file must not include CUDA headers"; status=1; } ;;
  esac
done < <(find engine kernels model data train bench \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) 2>/dev/null)
exit $status
