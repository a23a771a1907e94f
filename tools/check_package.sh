#!/usr/bin/env bash
# Does the package start where there is nothing but the C library? It is unpacked, every library that
# the loader takes must be its own or glibc's, and doctor, simulate and two steps of pretrain run in
# a root that holds the package and glibc alone.
#   tools/check_package.sh PACKAGE.tar.gz
#   tools/check_package.sh BUILD_FOLDER      what this build would install
set -euo pipefail
cd "$(dirname "$0")/.."

given=${1:?usage: tools/check_package.sh PACKAGE.tar.gz | BUILD_FOLDER}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
package=$root/lodestone
if [[ -d $given ]]; then
  cmake --install "$given" --strip --prefix "$package" >/dev/null
else
  mkdir "$package"
  tar -xzf "$given" -C "$package" --strip-components=1
fi
fail() { echo "check_package: $*" >&2; exit 1; }

glibc='linux-vdso|ld-linux-x86-64|libc|libm|libresolv|libpthread|libdl|librt'
for program in "$package"/bin/*; do
  foreign=$(env -u LD_LIBRARY_PATH ldd "$program" | grep -vE "^\s*(/lib64/)?($glibc)\.so|=> $package/bin/\.\./lib/" || true)
  [[ -z $foreign ]] || fail "$(basename "$program") takes libraries that are not the package's:"$'\n'"$foreign"
done

mkdir -p "$root"/{proc,tmp,lib64,lib/x86_64-linux-gnu}
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64"
cp -L /lib/x86_64-linux-gnu/{libc.so.6,libm.so.6,libresolv.so.2,libpthread.so.0,libdl.so.2,librt.so.1} "$root/lib/x86_64-linux-gnu"
# "$@" in the bare root. The loader needs /proc to know where a program lies.
in_root() {
  # shellcheck disable=SC2016
  env -i PATH="$PATH:/usr/sbin" unshare --map-root-user --mount bash -c \
    'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"' "$root" "$@"
}
unshare --map-root-user --mount true 2>/dev/null || {
  echo "check_package: skipped in part: only the loader was asked, a root of one's own (unshare) is not allowed here"
  exit 77
}
bare() { in_root "$@" || fail "in a bare root: exit $? of: $*"; }
lodestone() { bare /lodestone/bin/lodestone "$@" --quiet >>"$root/tmp/out"; }

bare /lodestone/bin/lodestone doctor
lodestone simulate --out /tmp/cells --cells 20 --genes 100
lodestone vocab --genes /tmp/cells/genes_human.tsv --genes /tmp/cells/genes_mouse.tsv \
  --orthologs /tmp/cells/orthologs.tsv --out /tmp/vocab.json
lodestone tokenize /tmp/cells/human.h5ad /tmp/cells/mouse.h5ad --vocab /tmp/vocab.json --out /tmp/tokens
lodestone pretrain --config /lodestone/tools/quickstart.toml --data /tmp/tokens --out /tmp/run --steps 2 \
  --device cpu --set schedule.warmup_steps=1
[[ -s $root/tmp/run/model/model.safetensors ]] || fail "pretrain left no model"
if [[ -x $package/bin/gpu_tests ]]; then
  status=0
  in_root /lodestone/bin/gpu_tests --gtest_filter=none || status=$?
  [[ $status -eq 0 || $status -eq 77 ]] || fail "gpu_tests: exit $status"
fi
echo "check_package: passed; $(du -sm "$package" | cut -f1) MiB unpacked, glibc $(
  find "$package"/bin "$package"/lib -type f -exec objdump -T {} + | grep -oE 'GLIBC_2\.[0-9]+' | sort -Vu | tail -1) or newer"
