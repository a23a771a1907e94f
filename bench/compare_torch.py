#!/usr/bin/env python3
"""lodestone beside the published definition in plain eager PyTorch, on the same cells and weights.

    bench/compare_torch.py --lodestone build/release/lodestone --out bench/results/cpu_torch.json

Cases: full (one cell of 2,048 genes a step), mix (four cells of about 1,200 in the mean; PyTorch pads
each to 2,048, as published) and embed (the cells of mix, hidden states alone). Every round runs
PyTorch, lodestone in f32 and lodestone in bf16, each in a process of its own; rows are medians over the
rounds. A training step is forward, backward, clipping and AdamW on both sides; making the batch is on
neither. PyTorch computes one cell at a time and updates once a step: more do not fit in memory. Its
allocator is tuned, for without that much of its time is page faults; the untuned row is measured once.

--device cuda: full (32 cells) and mix (64); PyTorch as published (eager, fp16 autocast, padded, logits at
every position) and the strongest that we can write (torch_packed.py: packed, fused attention, chosen rows
only, compiled, bf16, fused AdamW), lodestone in bf16. What a PyTorch lacks is printed, and done without.
--prepare FOLDER writes the cells and ends; --prepared FOLDER takes them, where there is no h5py.

Needs h5py and numpy, and torch in --python. Debian's torch multiplies with whatever libblas.so.3 there
is, and the reference BLAS is fifty times slower: install libopenblas0-openmp. What it reaches is printed.
"""

import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_worker.py")
TUNED = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 36),
    "MALLOC_TOP_PAD_": str(1 << 28),
}
SHAPES = {
    "base": dict(genes=25278, hidden=768, layers=12, heads=12, intermediate=3072, positions=2048),
    "small": dict(genes=600, hidden=64, layers=2, heads=2, intermediate=128, positions=256),
}
# Simulated cells: counts a cell, spread of its logarithm.
CELLS = {
    "base": {"full": (20000, 0.1), "mix": (2000, 0.8)},
    "small": {"full": (3000, 0.1), "mix": (300, 0.8)},
}
PER_SPECIES = {"cpu": {"full": 1, "mix": 2}, "cuda": {"full": 16, "mix": 32}}  # one cell: human alone


def run(command, environment=None):
    """(stdout, peak resident bytes) of a process."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"compare_torch: exit {process.returncode} of: {' '.join(command)}")
        out.seek(0)
        return out.read(), usage.ru_maxrss * 1024


class Comparison:
    def __init__(self, given, folder):
        self.given, self.folder, self.cuda = given, folder, given.device == "cuda"
        self.cells = given.prepare or given.prepared or folder
        self.shape = SHAPES[given.shape]
        self.checkpoint, self.model = self.path("checkpoint"), self.path("model")

    def path(self, name):
        return os.path.join(self.folder, name)

    def lodestone(self, *arguments):
        return run([self.given.lodestone, *map(str, arguments)])

    def torch(self, task, *arguments, tuned=True):
        command = [self.given.python, WORKER, task, "--checkpoint", self.checkpoint, "--device", self.given.device]
        command += ["--no-compile"] * self.given.no_compile
        command += ["--threads", str(self.given.threads), *map(str, arguments)]
        threads = {"OMP_NUM_THREADS": str(self.given.threads)}
        out, memory = run(command, {**threads, **(TUNED if tuned else {})})
        result = json.loads(out)
        return {"peak_memory_bytes": result.get("device_bytes", memory), **result}

    def make_cells(self, case, tokens):
        """A token directory of simulated cells."""
        kind = "full" if case == "full" else "mix"
        cells, (depth, spread) = PER_SPECIES[self.given.device][kind], CELLS[self.given.shape][kind]
        raw, vocabulary = self.path(case + "-cells"), self.path(case + "-vocab.json")
        self.lodestone("simulate", "--out", raw, "--cells", cells, "--genes", self.shape["genes"],
                       "--depth", depth, "--depth-spread", spread, "--seed", self.given.seed, "--quiet")
        self.lodestone("vocab", "--genes", raw + "/genes_human.tsv", "--genes", raw + "/genes_mouse.tsv",
                       "--orthologs", raw + "/orthologs.tsv", "--out", vocabulary, "--quiet")
        species = ["human"] if cells == 1 else ["human", "mouse"]
        self.lodestone("tokenize", *(f"{raw}/{name}.h5ad" for name in species), "--vocab", vocabulary,
                       "--out", tokens, "--max-length", self.shape["positions"], "--quiet")

    def write_batch(self, tokens, path):
        """Those cells padded and masked, for `lodestone infer` (.h5) and for torch_worker.py (.npz)."""
        import h5py  # not needed for cells that are prepared

        positions, rng = self.shape["positions"], np.random.default_rng(self.given.seed)
        rows = []
        for shard in sorted(glob.glob(tokens + "/shard-*.h5")):
            with h5py.File(shard, "r") as file:
                ends = file["offsets"][:]
                for cell, species in enumerate(file["species"][:]):
                    span = slice(ends[cell], ends[cell + 1])
                    rows.append((file["tokens"][span], file["values"][span], species))
        b, l = len(rows), positions
        ids, mask = np.zeros((b, l), np.int64), np.zeros((b, l), np.int64)
        values = np.zeros((b, l), np.float32)
        for i, (genes, amounts, _) in enumerate(rows):
            ids[i, : len(genes)], values[i, : len(genes)], mask[i, : len(genes)] = genes, amounts, 1
        chosen = (rng.random((b, l)) < 0.15) & (mask == 1)
        how = rng.random((b, l))
        shown, shown_values = ids.copy(), values.copy()
        shown[chosen & (how < 0.8)] = 1
        replaced = chosen & (how >= 0.8) & (how < 0.9)
        shown[replaced] = rng.integers(0, 2 * self.shape["genes"] + 2, (b, l))[replaced]
        shown_values[chosen & (how < 0.9)] = -1
        arrays = dict(
            input_ids=shown, values=shown_values, attention_mask=mask,
            species=np.array([row[2] for row in rows], np.int64), labels=np.where(chosen, ids, -100),
            label_values=np.where(chosen, values, -100).astype(np.float32),
        )  # fmt: skip
        np.savez_compressed(path + ".npz", **arrays)
        with h5py.File(path + ".h5", "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array, compression="gzip" if array.ndim > 1 else None)

    def batch_of(self, case):
        """(token directory, padded batch without its ending) of a case, made unless they are prepared."""
        tokens, batch = (os.path.join(self.cells, case + name) for name in ("-tokens", "-batch"))
        if not self.given.prepared:
            self.make_cells(case, tokens)
            self.write_batch(tokens, batch)
        return tokens, batch

    def make_model(self):
        shape = self.shape
        config = dict(
            model_type="bert", architectures=["BertForMaskedLM"], hidden_act="gelu", pad_token_id=0,
            vocab_size=2 * shape["genes"] + 2, hidden_size=shape["hidden"], prior_width=shape["hidden"],
            num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"],
            intermediate_size=shape["intermediate"], max_position_embeddings=shape["positions"],
            type_vocab_size=2, layer_norm_eps=1e-12, initializer_range=0.02, emb_warmup_steps=0,
            attention_probs_dropout_prob=0.02, hidden_dropout_prob=0.02, tie_word_embeddings=True,
            use_values=True, use_cls_token=True, use_promoter=True, use_co_exp=True,
            use_gene_family=True, use_peca_grn=True,
        )  # fmt: skip
        os.makedirs(self.checkpoint)
        with open(self.checkpoint + "/config.json", "w") as file:
            json.dump(config, file)
        made = self.torch("make")
        self.lodestone("import", self.checkpoint, "--out", self.model, "--quiet")
        return made

    def losses(self, batch):
        """Of all sides without dropout, and their largest relative differences from the published one."""
        ours, _ = self.lodestone("infer", "--model", self.model, "--input", batch + ".h5", "--output",
                                 self.path("inferred.h5"), "--threads", self.given.threads, "--device",
                                 self.given.device, "--json", "--quiet")  # fmt: skip
        side = "strongest" if self.given.strongest else "published"
        theirs = self.torch("losses", "--batch", batch + ".npz", "--side", side)
        names = ("id_loss", "value_loss", "loss")
        sides = {"lodestone": json.loads(ours), **{n: theirs[n] for n in theirs if n.startswith("strongest")}}
        result = {"torch": {n: theirs[n] for n in names}, "relative_difference": {}}
        for name, of in sides.items():
            result[name] = {n: of[n] for n in names}
            result["relative_difference"][name] = max(abs(of[n] - theirs[n]) / abs(theirs[n]) for n in names)
        return result

    def measure_lodestone(self, case, tokens, dtype):
        """The row of `lodestone bench`, its peaks, phases and memory."""
        row = ("embed" if case == "embed" else "step") + "/data/" + dtype
        out = self.path("bench.json")
        _, memory = self.lodestone(
            "bench", "--filter", f"^{row}$", "--dtype", dtype, "--data", tokens, "--model", self.model,
            "--repetitions", self.given.steps, "--threads", self.given.threads, "--device", self.given.device,
            "--out", out, "--quiet")
        with open(out) as file:
            result = json.load(file)
        first, *phases = result["rows"]
        return {"seconds": first["seconds"], "gflops": first["gflops"],
                "peak_memory_bytes": first.get("device_bytes", memory) if self.cuda else memory,
                "share_of_peak": first["share_of_peak"], "peaks": result["peaks"], "phases": phases,
                "processor": result["processor"], "build": result["build"]}

    def measure_torch(self, case, batch, side="published", tuned=True):
        task, cells = ("embed", 4) if case == "embed" else ("train", 1)
        if side == "strongest":
            cells = 1 << 20
        elif self.cuda:
            cells = 16
        return self.torch(task, "--batch", batch + ".npz", "--side", side, "--cells", cells, "--steps",
                          self.given.steps, tuned=tuned)  # fmt: skip

    def sides(self, case, tokens, batch):
        """What is measured in turn."""
        sides = {"torch": lambda: self.measure_torch(case, batch)}
        if self.given.strongest and case != "embed":
            sides["torch, strongest"] = lambda: self.measure_torch(case, batch, "strongest")
        if not self.cuda:
            sides["lodestone f32"] = lambda: self.measure_lodestone(case, tokens, "f32")
        sides["lodestone bf16"] = lambda: self.measure_lodestone(case, tokens, "bf16")
        return sides

    def case(self, case):
        tokens, batch = self.batch_of(case)
        with np.load(batch + ".npz") as arrays:
            lengths = arrays["attention_mask"].sum(1).tolist()
        say(f"{case}: {len(lengths)} cells of {lengths} genes")
        losses = self.losses(batch)
        for name, difference in losses["relative_difference"].items():
            say(f"{case}: losses of {name} differ from the published by {difference:.1e} (relative, no dropout)")
        sides = self.sides(case, tokens, batch)
        runs = {side: [] for side in sides}
        for number in range(self.given.rounds):
            for side, measure in sides.items():
                runs[side].append(measure())
                say(f"{case}: round {number + 1}, {side}: {runs[side][-1]['seconds']:.2f} s")
        if not self.given.no_untuned and not self.cuda:
            runs["torch, untuned"] = [self.measure_torch(case, batch, tuned=False)]
        return {"lengths": lengths, "losses": losses, "rows": summary(runs, lengths), "runs": runs}


def say(text):
    print(text, file=sys.stderr, flush=True)


def summary(runs, lengths):
    """A row a side: medians over its runs, and speed relative to tuned PyTorch."""
    seconds = {side: statistics.median(run["seconds"] for run in of) for side, of in runs.items()}
    of_ours = runs.get("lodestone f32") or runs["lodestone bf16"]  # PyTorch is held against the same peak
    flops = of_ours[-1]["gflops"] * of_ours[-1]["seconds"]
    peak = max(r["peaks"].get("product_bf16_gflops") or r["peaks"]["fma_f32_gflops"] for r in of_ours)
    rows = []
    for side, of in runs.items():
        share = statistics.median(run.get("share_of_peak", 0) for run in of) or flops / seconds[side] / peak
        rows.append({
            "side": side, "seconds": seconds[side], "tokens_per_s": sum(lengths) / seconds[side],
            "cells_per_s": len(lengths) / seconds[side], "speed": seconds["torch"] / seconds[side],
            "share_of_peak": share, "peak_memory_bytes": max(run["peak_memory_bytes"] for run in of),
        })  # fmt: skip
    return rows


def table(case, result):
    lines = [f"\n{case}: {len(result['lengths'])} cells, {sum(result['lengths'])} genes"]
    lines.append(f"{'':18}{'s':>9}{'tokens/s':>10}{'cells/s':>9}{'speed':>8}{'of peak':>9}{'GB':>7}")
    for row in result["rows"]:
        lines.append(
            f"{row['side']:18}{row['seconds']:9.3f}{row['tokens_per_s']:10.1f}{row['cells_per_s']:9.3f}"
            f"{row['speed']:7.2f}x{100 * row['share_of_peak']:8.1f}%{row['peak_memory_bytes'] / 1e9:7.2f}"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lodestone", default="build/release/lodestone", help="the binary")
    parser.add_argument("--python", default="/usr/bin/python3", help="an interpreter that has torch")
    parser.add_argument("--case", action="append", choices=("full", "mix", "embed"), help="default: all")
    parser.add_argument("--shape", choices=SHAPES, default="base", help="small: to try the script")
    parser.add_argument("--device", choices=PER_SPECIES, default="cpu")
    parser.add_argument("--strongest", action="store_true", help="on the CPU too")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--prepare", metavar="FOLDER", help="write the cells there, and no more")
    parser.add_argument("--prepared", metavar="FOLDER", help="take the cells from there")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2, help="measured in a run, after one to warm up")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-untuned", action="store_true")
    parser.add_argument("--out", help="result (.json)")
    given = parser.parse_args()
    given.strongest = given.strongest or given.device == "cuda"
    cases = given.case or (["full", "mix"] if given.device == "cuda" else ["full", "mix", "embed"])
    with tempfile.TemporaryDirectory(prefix="lodestone-torch-") as folder:
        comparison = Comparison(given, folder)
        if given.prepare:
            os.makedirs(given.prepare, exist_ok=True)
            return [comparison.batch_of(case) for case in cases]
        made = comparison.make_model()
        say(f"torch {made['torch']} multiplies at {made['product_gflops']:.0f} GFLOP/s")
        result = {"model": made, "device": given.device, "threads": given.threads, "shape": given.shape, "cases": {}}
        for case in cases:
            result["cases"][case] = comparison.case(case)
            print(table(case, result["cases"][case]), flush=True)
    if given.out:
        with open(given.out, "w") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
