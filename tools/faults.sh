#!/usr/bin/env bash
# Strikes runs at random times, by kills, power losses, full disks, write errors and signals, lets
# them resume, and compares them with undisturbed ones. Prints how many rounds of each kind there
# were and in how many something was lost.
#   tools/faults.sh [ROUNDS]          default: 20
#   LODESTONE_FAULT_SEED=N tools/faults.sh    the times of an earlier run, which printed N
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${LODESTONE_PRESET:-release}
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
LODESTONE_FAULT_ROUNDS=${1:-20} ctest --test-dir "build/$preset" -L faults --output-on-failure --verbose
