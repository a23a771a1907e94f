"""The PyTorch side of compare_torch.py: one task in a process of its own, one JSON object on stdout.

As published: cells padded to the model's positions, logits and their cross entropy at every position,
dropout, AdamW. Shapes: B cells, L positions.
"""

import argparse
import json
import os
import statistics
import sys
import time

import h5py
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden"))
from genecompass_reference import PRIORS, GeneCompass

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


def load_model(folder):
    model = GeneCompass(read_config(folder))
    model.load_state_dict(torch.load(os.path.join(folder, "pytorch_model.bin")))
    return model


def read_batch(path):
    with h5py.File(path, "r") as file:
        return [torch.from_numpy(np.asarray(file[name])) for name in INPUTS]


def loss_sums(model, ids, values, mask, species, labels, label_values):
    logits, predicted = model.predict(model.hidden_states(ids, values, mask, species)[-1])
    chosen = labels != -100
    id_sum = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
    return id_sum, ((predicted[chosen] - label_values[chosen]) ** 2).sum()


def micro_batches(batch, cells):
    return [[array[i : i + cells] for array in batch] for i in range(0, len(batch[0]), cells)]


def losses(model, batch, cells):
    model.eval()
    with torch.no_grad():
        sums = [loss_sums(model, *micro) for micro in micro_batches(batch, cells)]
    count = int((batch[4] != -100).sum())
    id_loss, value_loss = (float(sum(s)) / count for s in zip(*sums))
    return {"id_loss": id_loss, "value_loss": value_loss, "loss": 0.2 * id_loss + 0.8 * value_loss}


def decays(name):
    return not (name.endswith("bias") or "LayerNorm" in name or "cat_ln" in name)


def make_optimizer(model):
    groups = [
        {"params": [p for n, p in model.named_parameters() if decays(n) == d], "weight_decay": 0.01 * d}
        for d in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=1e-6, betas=(0.9, 0.999), eps=1e-8)


def train(model, batch, cells, steps):
    model.train()
    optimizer = make_optimizer(model)
    count = int((batch[4] != -100).sum())
    seconds = []
    for _ in range(1 + steps):  # the first warms up
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        for micro in micro_batches(batch, cells):
            id_sum, value_sum = loss_sums(model, *micro)
            ((0.2 * id_sum + 0.8 * value_sum) / count).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds[1:])}


def embed(model, batch, cells, steps):
    model.eval()
    seconds = []
    with torch.no_grad():
        for _ in range(1 + steps):
            start = time.perf_counter()
            for micro in micro_batches(batch[:4], cells):
                model.hidden_states(*micro)[-1]
            seconds.append(time.perf_counter() - start)
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
    parser.add_argument("--batch")
    parser.add_argument("--cells", type=int, default=1, help="computed at once")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.task == "make":
        result = make_model(given.checkpoint)
    else:
        model, batch = load_model(given.checkpoint), read_batch(given.batch)
        if given.task == "losses":
            result = losses(model, batch, given.cells)
        else:
            result = {"train": train, "embed": embed}[given.task](model, batch, given.cells, given.steps)
    result.update(
        torch=torch.__version__, threads=torch.get_num_threads(), product_gflops=product_gflops()
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
