"""The PyTorch side of compare_torch.py: one task in a process of its own, one JSON object on stdout.

published: cells padded to the model's positions, logits and their cross entropy at every position,
dropout, AdamW; in f32 on the CPU, with fp16 autocast on a GPU. strongest: torch_packed.py, compiled, bf16,
fused AdamW. Shapes: B cells, L positions.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden"))
from genecompass_reference import PRIORS, GeneCompass
from torch_packed import Packed, PackedBatch, cell_by_cell, fastest_attention, say, synchronize

INPUTS = ("input_ids", "values", "attention_mask", "species", "labels", "label_values")


def read_config(folder):
    with open(os.path.join(folder, "config.json")) as file:
        return json.load(file)


def make_model(folder):
    """Published initialisation and random prior tables, as a checkpoint."""
    c = read_config(folder)
    torch.manual_seed(1)
    model = GeneCompass(c)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "LayerNorm" in name or "cat_ln" in name:
                continue
            p.zero_() if name.endswith("bias") else p.normal_(0, c["initializer_range"])
        for prior in PRIORS:
            getattr(model.bert.embeddings, prior + "_knowledge").normal_(0, 1)
    torch.save(model.state_dict(), os.path.join(folder, "pytorch_model.bin"))
    return {"parameters": sum(p.numel() for p in model.parameters())}


def load_model(given):
    model = GeneCompass(read_config(given.checkpoint))
    model.load_state_dict(torch.load(os.path.join(given.checkpoint, "pytorch_model.bin")))
    return model.to(given.device)


def read_batch(given):
    with np.load(given.batch) as arrays:
        return [torch.from_numpy(arrays[name]).to(given.device) for name in INPUTS]


def loss_sums(model, ids, values, mask, species, labels, label_values):
    logits, predicted = model.predict(model.hidden_states(ids, values, mask, species)[-1])
    chosen = labels != -100
    id_sum = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
    return id_sum, ((predicted[chosen] - label_values[chosen]) ** 2).sum()


def micro_batches(batch, cells):
    return [[array[i : i + cells] for array in batch] for i in range(0, len(batch[0]), cells)]


def mean_losses(sums, batch):
    count = int((batch[4] != -100).sum())
    id_loss, value_loss = (float(sum(s)) / count for s in zip(*sums))
    return {"id_loss": id_loss, "value_loss": value_loss, "loss": 0.2 * id_loss + 0.8 * value_loss}


def losses(model, batch, given):
    """Without dropout, in f32; also of the strongest, and as it is trained: in bf16, with the attention that it takes."""
    model.eval()
    with torch.no_grad():
        result = mean_losses([loss_sums(model, *micro) for micro in micro_batches(batch, given.cells)], batch)
        if given.side != "strongest":
            return result
        packed = PackedBatch(model, *batch)
        result["strongest"] = mean_losses([Packed(model, cell_by_cell)(packed)], batch)
        with torch.enable_grad():
            attend = fastest_attention(packed, model.config, strongest_dtype(given), 0.0)
        with autocast(given, strongest_dtype(given)):
            result["strongest_as_trained"] = mean_losses([Packed(model, attend)(packed)], batch)
    return result


def decays(name):
    return not (name.endswith("bias") or "LayerNorm" in name or "cat_ln" in name)


def make_optimizer(model, fused):
    groups = [
        {"params": [p for n, p in model.named_parameters() if decays(n) == d], "weight_decay": 0.01 * d}
        for d in (True, False)
    ]
    settings = dict(lr=1e-6, betas=(0.9, 0.999), eps=1e-8)
    if fused:
        try:
            return torch.optim.AdamW(groups, **settings, fused=True)
        except (RuntimeError, TypeError) as error:
            say(f"AdamW is not fused: {error}")
    return torch.optim.AdamW(groups, **settings)


def autocast(given, dtype):
    if dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(given.device.type, dtype=dtype)


def strongest_dtype(given):
    if given.device.type == "cpu" and not hasattr(torch, "compile"):
        say("f32: layer norms of PyTorch 1 cannot be autocast to bf16 on the CPU")
        return torch.float32
    return torch.bfloat16


def compiled(module, given):
    if given.no_compile or not hasattr(torch, "compile"):
        say("not compiled" + ("" if given.no_compile else ": this PyTorch has no torch.compile"))
        return module
    return torch.compile(module, dynamic=False)


def make_step(model, batch, given):
    """One training step of that side over the whole batch; given.cells at once."""
    count = int((batch[4] != -100).sum())
    published = given.side == "published"
    fp16 = published and given.device.type == "cuda"
    dtype = torch.float16 if fp16 else torch.float32 if published else strongest_dtype(given)
    micros = micro_batches(batch, given.cells)
    if published:
        sums = lambda micro: loss_sums(model, *micro)
    else:
        micros = [PackedBatch(model, *micro) for micro in micros]
        dropout = model.config["attention_probs_dropout_prob"]
        sums = compiled(Packed(model, fastest_attention(micros[0], model.config, dtype, dropout)), given)
    optimizer = make_optimizer(model, not published)
    scaler = (torch.amp if hasattr(torch.amp, "GradScaler") else torch.cuda.amp).GradScaler(enabled=fp16)

    def step():
        optimizer.zero_grad(set_to_none=True)
        for micro in micros:
            with autocast(given, dtype):
                id_sum, value_sum = sums(micro)
                loss = (0.2 * id_sum + 0.8 * value_sum) / count
            scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()

    return step


def seconds_of(call, given):
    start = time.perf_counter()
    call()
    synchronize(given.device)
    return time.perf_counter() - start


def train(model, batch, given):
    """Median over the steps, after one that warms up. Fewer cells at once where memory does not do, not
    compiled where that fails; both are printed."""
    model.train()
    while True:
        try:
            step = make_step(model, batch, given)
            seconds = [seconds_of(step, given) for _ in range(1 + given.steps)]
            return {"seconds": statistics.median(seconds[1:]), "cells_at_once": given.cells}
        except Exception as error:  # the compiler's are many
            full = "out of memory" in str(error)
            text = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            if full and given.cells > 1:
                given.cells = (given.cells + 1) // 2
                say(f"{text}: {given.cells} cells at once")
            elif not full and given.side == "strongest" and not given.no_compile:
                given.no_compile = True
                say(f"torch.compile failed: {text}")
            else:
                raise
        model.zero_grad(set_to_none=True)
        step = None
        if given.device.type == "cuda":
            torch.cuda.empty_cache()


def embed(model, batch, given):
    model.eval()

    def states():
        for micro in micro_batches(batch[:4], given.cells):
            model.hidden_states(*micro)[-1]

    with torch.no_grad():
        seconds = [seconds_of(states, given) for _ in range(1 + given.steps)]
    return {"seconds": statistics.median(seconds[1:])}


def product_gflops():
    """The best rate of a product of the base model: a reference BLAS shows at once."""
    x, weight = torch.ones(2048, 768), torch.ones(3072, 768)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        F.linear(x, weight)
        seconds.append(time.perf_counter() - start)
    return 2e-9 * 2048 * 768 * 3072 / min(seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=("make", "losses", "train", "embed"))
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--batch", help="padded arrays (.npz)")
    parser.add_argument("--side", choices=("published", "strongest"), default="published")
    parser.add_argument("--device", type=torch.device, default="cpu")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--cells", type=int, default=1, help="computed at once")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    given.device = torch.device(given.device)
    torch.set_num_threads(given.threads)
    if given.task == "make":
        result = make_model(given.checkpoint)
    else:
        model, batch = load_model(given), read_batch(given)
        result = {"losses": losses, "train": train, "embed": embed}[given.task](model, batch, given)
    result.update(
        torch=torch.__version__, threads=torch.get_num_threads(), product_gflops=product_gflops()
    )
    if given.device.type == "cuda":
        result.update(gpu=torch.cuda.get_device_name(given.device),
                      device_bytes=torch.cuda.max_memory_allocated(given.device))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
