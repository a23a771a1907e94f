"""How far PyTorch's bf16 autocast on the CPU strays from a golden fixture, as JSON: hidden states of
the masked cells (the worst layer), loss and gradient norm of the twelve training steps (root of the
mean square of the relative errors), final weights (the worst). Our own bf16 may stray twice as far.

    python3 tests/golden/bf16_autocast.py FIXTURE...
"""

import json
import os
import sys

import h5py
import numpy as np
import torch
from torch import nn

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from genecompass_reference import GeneCompass
from make_fixture import PEAK, STEPS, WARMUP, decays

NAMES = ("input_ids", "values", "attention_mask", "species", "labels", "label_values")


def load(folder):
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    weights = torch.load(os.path.join(folder, "pytorch_model.bin"))
    config["prior_width"] = next((w.shape[1] for n, w in weights.items() if n.endswith("_knowledge")), 1)
    model = GeneCompass(config)
    model.load_state_dict({k: v for k, v in weights.items() if not k.startswith("emb_warmup")})
    return model, config


def batch_of(group, masked=""):
    names = [masked + n if n in ("input_ids", "values") else n for n in NAMES]
    return [torch.from_numpy(group[n][()]) for n in names]


def relative(got, golden):
    return ((got.double() - golden).norm() / golden.norm()).item()


def state_error(model, config, file):
    """The largest over the layers, at real positions."""
    batch = batch_of(file["inputs"], "masked_")
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        states = model.hidden_states(*batch[:4])
    real = batch[2].bool()
    if config["use_cls_token"]:
        real = torch.cat([torch.ones(len(real), 1, dtype=torch.bool), real], 1)
    errors = []
    for k, state in enumerate(states):
        golden = torch.from_numpy(file[f"outputs/masked/hidden_{k}"][()]).double()
        errors.append(relative(state[real], golden[real]))
    return max(errors)


def training_errors(model, file):
    named = dict(model.named_parameters())
    groups = [
        {"params": [p for n, p in named.items() if decays(n) == d], "weight_decay": 0.01 * d}
        for d in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.999), eps=1e-8)
    log, golden = [], file["training/log"][()]
    for step in range(STEPS):
        batch = batch_of(file[f"training/step_{step:02d}"])
        rate = PEAK * (step / WARMUP if step < WARMUP else (STEPS - step) / (STEPS - WARMUP))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, predicted = model.predict(model.hidden_states(*batch[:4])[-1])
        losses = model.losses(logits.float(), predicted.float(), *batch[4:])
        losses[2].backward()
        norm = nn.utils.clip_grad_norm_(list(named.values()), 1.0)
        optimizer.step()
        log.append([losses[2].item(), norm.item()])
    errors = (np.array(log) - golden[:, [1, 4]]) / golden[:, [1, 4]]
    loss, norm = np.sqrt((errors**2).mean(0))
    final = file["training/final"]
    weights = [relative(named[n].detach(), torch.from_numpy(final[n][()]).double()) for n in final]
    return {"loss": loss, "gradient_norm": norm, "weights": max(weights)}


def main():
    errors = {}
    for folder in sys.argv[1:]:
        model, config = load(folder)
        with h5py.File(os.path.join(folder, "golden.h5")) as file:
            states = state_error(model, config, file)
            name = os.path.basename(os.path.normpath(folder))
            errors[name] = {"states": states, **training_errors(model, file)}
    print(json.dumps({"torch": torch.__version__, "errors": errors}, indent=2))


if __name__ == "__main__":
    main()
