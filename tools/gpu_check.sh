#!/usr/bin/env bash
# Everything that only a GPU can show, in under nine minutes: one line a stage, at most eight files.
#   tools/gpu_check.sh [--programs FOLDER] [--seconds N] [RESULTS]
# FOLDER holds lodestone and gpu_tests; default: bin/ of the package that this lies in, else
# build/release. RESULTS: default gpu_check_results. N: seconds in all, default 530; a stage that has
# used up its share is ended, and the next begins. Exit code: 1 when a stage failed. Without a device
# every stage is skipped. Python with torch and h5py (LODESTONE_PYTHON, default python3) and
# compute-sanitizer are for single stages; nothing is installed or fetched.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
programs=$root/bin seconds=530 results=gpu_check_results
[[ -d $programs ]] || programs=$root/build/release
while (($#)); do
  case $1 in
    --programs) programs=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    -*) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    *) results=$1; shift ;;
  esac
done
for program in lodestone gpu_tests; do
  [[ -x $programs/$program ]] || { echo "gpu_check: $programs has no $program: build it, or name its folder with --programs" >&2; exit 2; }
done
programs=$(cd "$programs" && pwd)
mkdir -p "$results"
results=$(cd "$results" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root" || exit  # the tests' data is found from here
python=${LODESTONE_PYTHON:-python3}
export programs results work python
export LODESTONE_TEST_DEVICE=cuda PATH=$PATH:/usr/local/cuda/bin PYTHONDONTWRITEBYTECODE=1
# NVIDIA's libraries may be PyTorch's own.
beside_torch=$("$python" -c 'import glob, sysconfig
print(":".join(glob.glob(sysconfig.get_paths()["purelib"] + "/nvidia/*/lib")))' 2>/dev/null)
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${beside_torch:+$beside_torch:}/usr/local/cuda/lib64

machine() {
  date --utc '+%Y-%m-%d %H:%M UTC'
  "$programs/lodestone" doctor
  "$python" -c 'import torch; print("PyTorch", torch.__version__, "CUDA", torch.version.cuda)' 2>&1 | tail -1
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
}

# One suite of gpu_tests in a process of its own, for an error of the device stays with the process.
suite() {
  local name=$1 log; shift
  log=$work/suites/${name//\//-}
  if timeout --foreground --kill-after=5 120 "$@" "$programs/gpu_tests" --gtest_filter="$name.*" >"$log" 2>&1; then
    echo "passed $name: $(grep -c '^\[       OK' "$log") tests, $(grep -c '^\[  SKIPPED \] .*(' "$log") skipped" >"$log.passed"
  else
    { echo "FAILED $name"; tail -c 200000 "$log"; } >"$log.failed"
  fi
}

# suites FILE PATTERN [COMMAND...]: the suites whose names match, under COMMAND, four at a time. What
# is known when the time is up is written too.
suites() {
  local file=$1 pattern=$2; shift 2
  rm -rf "$work/suites"
  mkdir "$work/suites"
  "$programs/gpu_tests" --gtest_list_tests | sed -nE 's/^([^ ]+)\..*/\1/p' | grep -E "$pattern" >"$work/list"
  trap 'collect "$file"; exit 124' TERM
  # shellcheck disable=SC2016
  xargs -P 4 -I{} bash -c 'suite "$@"' _ {} "$@" <"$work/list"
  collect "$file"
}
collect() {
  local all passed failed
  all=$(wc -l <"$work/list")
  passed=$(find "$work/suites" -name '*.passed' | wc -l)
  failed=$(find "$work/suites" -name '*.failed' | wc -l)
  find "$work/suites" \( -name '*.passed' -o -name '*.failed' \) -print0 | sort -z | xargs -0 -r cat >"$results/$1"
  echo "$passed of $all suites passed, $failed failed"
  ((all > 0 && passed == all))
}
tests() { suites tests.txt .; }
sanitizer() {
  command -v compute-sanitizer >/dev/null || { echo "no compute-sanitizer on this machine"; return 77; }
  suites "$1.txt" 'Cuda(/[0-9]+)?$' compute-sanitizer --tool "$1" --error-exitcode 99 --print-limit 20
}
memcheck() { sanitizer memcheck; }
racecheck() { sanitizer racecheck; }

conformance() {
  LODESTONE_RECORD_CONFORMANCE=$results/conformance_recording.txt \
    "$programs/gpu_tests" --gtest_filter='*.IsMadeOnRequest' && [[ -s $results/conformance_recording.txt ]] &&
    echo "$(grep -c inputs "$results/conformance_recording.txt") instructions recorded"
}

# Two steps of a small model, twice on the device and once on the CPU.
same_bits() {
  local name dtype apart
  {
    lodestone() { "$programs/lodestone" "$@" --quiet >/dev/null || exit 1; }
    lodestone simulate --out "$work/cells" --cells 200 --genes 500
    lodestone vocab --genes "$work/cells/genes_human.tsv" --genes "$work/cells/genes_mouse.tsv" \
      --orthologs "$work/cells/orthologs.tsv" --out "$work/vocab.json"
    lodestone tokenize "$work/cells/human.h5ad" "$work/cells/mouse.h5ad" --vocab "$work/vocab.json" --out "$work/tokens"
    for name in cpu-f32 cuda-f32-1 cuda-f32-2 cuda-bf16-1 cuda-bf16-2; do
      dtype=${name#*-}
      lodestone pretrain --config tools/quickstart.toml --data "$work/tokens" --out "$work/$name" --steps 2 \
        --device "${name%%-*}" --dtype "${dtype%-*}" --set schedule.warmup_steps=1
      echo "$name $(sha256sum <"$work/$name/model/model.safetensors" | cut -d" " -f1) losses $(losses "$name")"
    done
  } >"$results/same_bits.txt" || return 1
  for dtype in f32 bf16; do
    cmp "$work/cuda-$dtype-1/model/model.safetensors" "$work/cuda-$dtype-2/model/model.safetensors" || return 1
  done
  apart=$({ losses cpu-f32; losses cuda-f32-1; } | awk '
    { for (i = 1; i <= NF; ++i) if (NR == 1) of[i] = $i; else { d = ($i - of[i]) / of[i]; d = d < 0 ? -d : d; if (d > most) most = d } }
    END { print (NF > 0 ? most + 0 : 1) }')
  echo "f32 and bf16: twice the same bits; f32 losses differ from the CPU's by $apart (relative; at most 1e-4)"
  awk "BEGIN { exit !($apart <= 1e-4) }"
}
losses() { grep -oE '"loss":[^,}]+' "$work/$1/metrics.jsonl" | cut -d: -f2 | xargs; }

bench() {
  "$programs/lodestone" bench --device cuda --dtype bf16 --repetitions 20 --out "$results/bench.json" --quiet >/dev/null &&
    echo "$(grep -c '"name"' "$results/bench.json") rows"
}
torch() {
  "$python" -c 'import torch, h5py' 2>/dev/null || { echo "$python has no torch or no h5py"; return 77; }
  "$python" bench/compare_torch.py --device cuda --case mix --rounds 1 --steps 10 --lodestone "$programs/lodestone" \
    --python "$(command -v "$python")" --out "$results/torch.json" || return 1
  grep -oE '"(side|speed)": [^,}]+' "$results/torch.json" | cut -d: -f2 | xargs
}
export -f machine suite suites collect tests sanitizer memcheck racecheck conformance same_bits losses bench torch

# Name, seconds.
stages='machine 15
tests 130
memcheck 95
racecheck 90
conformance 15
same_bits 45
bench 60
torch 80'
status=0
say() { printf '%-12s %s\n' "$@" | tee -a "$results/summary.txt"; }
: >"$results/summary.txt"
problem=$("$programs/gpu_tests" --gtest_filter=none 2>&1)
if [[ $? -eq 77 ]]; then
  while read -r name _; do say "$name" "$problem"; done <<<"$stages"
  exit 0
fi
while read -r name share; do
  begin=$SECONDS
  timeout --kill-after=5 $((share * seconds / 530 + 1)) bash -c "$name" </dev/null >"$work/out" 2>"$work/err"
  case $? in
    0) outcome=passed ;;
    77) outcome=skipped ;;
    124 | 137) outcome="FAILED (out of time)" status=1 ;;
    *) outcome=FAILED status=1 ;;
  esac
  say "$name" "$outcome in $((SECONDS - begin)) s: $(tail -1 "$work/out")"
  case $outcome in
    passed | skipped) [[ $name == machine ]] && cat "$work/out" >>"$results/summary.txt" ;;
    *) tail -qn 5 "$work/out" "$work/err" | tee -a "$results/summary.txt" ;;
  esac
done <<<"$stages"
exit $status
