#!/usr/bin/env python3
"""lodestone beside the published definition in plain eager PyTorch, on the same cells and weights.

    bench/compare_torch.py --lodestone build/release/lodestone --out bench/results/cpu_torch.json

Cases: full (one cell of 2,048 genes a step), mix (four cells of about 1,200 in the mean; PyTorch pads
each to 2,048, as published) and embed (the cells of mix, hidden states alone). Every round runs
PyTorch, lodestone in f32 and lodestone in bf16, each in a process of its own; rows are medians over the
rounds. A training step is forward, backward, clipping and AdamW on both sides; making the batch is on
neither. PyTorch computes one cell at a time and updates once a step: more do not fit in memory. Its
allocator is tuned, for without that much of its time is page faults; the untuned row is measured once.

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

import h5py
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
# Simulated cells: how many of each species, counts a cell, spread of its logarithm.
CELLS = {
    "base": {"full": (1, 20000, 0.1), "mix": (2, 2000, 0.8)},
    "small": {"full": (1, 3000, 0.1), "mix": (2, 300, 0.8)},
}


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
        self.given, self.folder = given, folder
        self.shape = SHAPES[given.shape]
        self.checkpoint, self.model = self.path("checkpoint"), self.path("model")

    def path(self, name):
        return os.path.join(self.folder, name)

    def lodestone(self, *arguments):
        return run([self.given.lodestone, *map(str, arguments)])

    def torch(self, task, *arguments, tuned=True):
        command = [self.given.python, WORKER, task, "--checkpoint", self.checkpoint]
        command += ["--threads", str(self.given.threads), *map(str, arguments)]
        threads = {"OMP_NUM_THREADS": str(self.given.threads)}
        out, memory = run(command, {**threads, **(TUNED if tuned else {})})
        return {**json.loads(out), "peak_memory_bytes": memory}

    def make_cells(self, case):
        """A token directory of simulated cells; for `full` of one cell."""
        cells, depth, spread = CELLS[self.given.shape]["full" if case == "full" else "mix"]
        raw, tokens, vocabulary = (self.path(case + name) for name in ("-cells", "-tokens", "-vocab.json"))
        self.lodestone("simulate", "--out", raw, "--cells", cells, "--genes", self.shape["genes"],
                       "--depth", depth, "--depth-spread", spread, "--seed", self.given.seed, "--quiet")
        self.lodestone("vocab", "--genes", raw + "/genes_human.tsv", "--genes", raw + "/genes_mouse.tsv",
                       "--orthologs", raw + "/orthologs.tsv", "--out", vocabulary, "--quiet")
        species = ["human"] if case == "full" else ["human", "mouse"]
        self.lodestone("tokenize", *(f"{raw}/{name}.h5ad" for name in species), "--vocab", vocabulary,
                       "--out", tokens, "--max-length", self.shape["positions"], "--quiet")
        return tokens

    def write_batch(self, tokens, path):
        """Those cells padded and masked, as `lodestone infer` reads them; returns their lengths."""
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
        with h5py.File(path, "w") as file:
            file["input_ids"], file["values"], file["attention_mask"] = shown, shown_values, mask
            file["species"] = np.array([row[2] for row in rows], np.int64)
            file["labels"] = np.where(chosen, ids, -100)
            file["label_values"] = np.where(chosen, values, -100).astype(np.float32)
        return mask.sum(1).tolist()

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
        """Of both sides without dropout, and the largest relative difference."""
        ours, _ = self.lodestone("infer", "--model", self.model, "--input", batch, "--output",
                                 self.path("inferred.h5"), "--threads", self.given.threads, "--json", "--quiet")
        ours, theirs = json.loads(ours), self.torch("losses", "--batch", batch)
        names = ("id_loss", "value_loss", "loss")
        worst = max(abs(ours[n] - theirs[n]) / abs(theirs[n]) for n in names)
        return {"lodestone": {n: ours[n] for n in names}, "torch": {n: theirs[n] for n in names},
                "relative_difference": worst}

    def measure_lodestone(self, case, tokens, dtype):
        """The row of `lodestone bench`, its peaks, phases and memory."""
        row = ("embed" if case == "embed" else "step") + "/data/" + dtype
        out = self.path("bench.json")
        _, memory = self.lodestone(
            "bench", "--filter", f"^{row}$", "--dtype", dtype, "--data", tokens, "--model", self.model,
            "--repetitions", self.given.steps, "--threads", self.given.threads, "--out", out, "--quiet")
        with open(out) as file:
            result = json.load(file)
        first, *phases = result["rows"]
        return {"seconds": first["seconds"], "gflops": first["gflops"], "peak_memory_bytes": memory,
                "share_of_peak": first["share_of_peak"], "peaks": result["peaks"], "phases": phases,
                "processor": result["processor"], "build": result["build"]}

    def measure_torch(self, case, batch, tuned):
        task, cells = ("embed", 4) if case == "embed" else ("train", 1)
        return self.torch(task, "--batch", batch, "--cells", cells, "--steps", self.given.steps, tuned=tuned)

    def case(self, case):
        tokens, batch = self.make_cells(case), self.path(case + "-batch.h5")
        lengths = self.write_batch(tokens, batch)
        say(f"{case}: {len(lengths)} cells of {lengths} genes")
        losses = self.losses(batch)
        say(f"{case}: losses differ by {losses['relative_difference']:.1e} (relative, f32, without dropout)")
        sides = {"torch": lambda: self.measure_torch(case, batch, True),
                 "lodestone f32": lambda: self.measure_lodestone(case, tokens, "f32"),
                 "lodestone bf16": lambda: self.measure_lodestone(case, tokens, "bf16")}
        runs = {side: [] for side in sides}
        for number in range(self.given.rounds):
            for side, measure in sides.items():
                runs[side].append(measure())
                say(f"{case}: round {number + 1}, {side}: {runs[side][-1]['seconds']:.2f} s")
        if not self.given.no_untuned:
            runs["torch, untuned"] = [self.measure_torch(case, batch, False)]
        return {"lengths": lengths, "losses": losses, "rows": summary(runs, lengths), "runs": runs}


def say(text):
    print(text, file=sys.stderr, flush=True)


def summary(runs, lengths):
    """A row a side: medians over its runs, and speed relative to tuned PyTorch."""
    seconds = {side: statistics.median(run["seconds"] for run in of) for side, of in runs.items()}
    ours = runs["lodestone f32"][-1]
    flops, peak = ours["gflops"] * ours["seconds"], max(r["peaks"]["fma_f32_gflops"] for r in runs["lodestone f32"])
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
    lines.append(f"{'':16}{'s':>9}{'tokens/s':>10}{'cells/s':>9}{'speed':>8}{'of peak':>9}{'GB':>7}")
    for row in result["rows"]:
        lines.append(
            f"{row['side']:16}{row['seconds']:9.3f}{row['tokens_per_s']:10.1f}{row['cells_per_s']:9.3f}"
            f"{row['speed']:7.2f}x{100 * row['share_of_peak']:8.1f}%{row['peak_memory_bytes'] / 1e9:7.2f}"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lodestone", default="build/release/lodestone", help="the binary")
    parser.add_argument("--python", default="/usr/bin/python3", help="an interpreter that has torch")
    parser.add_argument("--case", action="append", choices=("full", "mix", "embed"), help="default: all")
    parser.add_argument("--shape", choices=SHAPES, default="base", help="small: to try the script")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2, help="measured in a run, after one to warm up")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-untuned", action="store_true")
    parser.add_argument("--out", help="result (.json)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lodestone-torch-") as folder:
        comparison = Comparison(given, folder)
        made = comparison.make_model()
        say(f"torch {made['torch']} multiplies at {made['product_gflops']:.0f} GFLOP/s")
        result = {"model": made, "threads": given.threads, "shape": given.shape, "cases": {}}
        for case in given.case or ("full", "mix", "embed"):
            result["cases"][case] = comparison.case(case)
            print(table(case, result["cases"][case]), flush=True)
    if given.out:
        with open(given.out, "w") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
