#!/usr/bin/env bash
# Installs what lodestone needs, from the distribution's own packages. Run as root or with sudo.
#   tools/install_packages.sh            to build and run
#   tools/install_packages.sh --tests    and what the tests need (GoogleTest, Python readers, clang tools)
# Debian 12 is tested. Ubuntu 24.04 has every package under the same name and is untested.
set -euo pipefail

build=(build-essential cmake ninja-build ccache git pkg-config
  libhdf5-dev zlib1g-dev libfmt-dev libspdlog-dev libcli11-dev libtomlplusplus-dev
  nlohmann-json3-dev libxxhash-dev libdnnl-dev libbenchmark-dev ocl-icd-opencl-dev libeigen3-dev)
tests=(libgtest-dev libgmock-dev python3-h5py python3-anndata python3-numpy)
lint=(clang-format-16 clang-tidy-16 libomp-16-dev)

wanted=("${build[@]}")
if [[ "${1:-}" == "--tests" ]]; then
  wanted+=("${tests[@]}" "${lint[@]}")
elif [[ $# -gt 0 ]]; then
  echo "usage: tools/install_packages.sh [--tests]" >&2
  exit 2
fi

command -v dpkg-query >/dev/null || {
  echo "install_packages: needs a Debian-family system; install by hand: ${wanted[*]}" >&2
  exit 1
}

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
# The clang tools are optional where the release does not have version 16.
available=()
if [[ ${#missing[@]} -gt 0 ]]; then
  run=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || { echo "install_packages: run as root, or install sudo (missing: ${missing[*]})" >&2; exit 1; }
    run=(sudo)
  fi
  "${run[@]}" apt-get update -qq
  for package in "${missing[@]}"; do
    if [[ " ${lint[*]} " == *" $package "* ]] && ! apt-cache show "$package" >/dev/null 2>&1; then
      echo "install_packages: no $package in this release; the lint check will be skipped" >&2
    else
      available+=("$package")
    fi
  done
  DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "${available[@]}" >/dev/null
fi
echo "install_packages: ${#wanted[@]} packages present (${#available[@]} new)"
