"""Writes a golden fixture of any size: golden.h5, config.json and pytorch_model.bin, computed in
float64 by genecompass_reference.py and stored in float32. Needs torch, h5py and numpy.

    python3 tests/golden/make_fixture.py OUT --hidden 96 --heads 3 --layers 3 ...
    python3 tests/golden/make_fixture.py --check FIXTURE     # the reference against a given fixture
"""

import argparse
import json
import math
import os
import sys

import h5py
import numpy as np
import torch
from torch import nn

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from genecompass_reference import PRIORS, GeneCompass

STEPS, PEAK, WARMUP = 12, 1e-3, 4


def random_cells(c, rng, lengths):
    b, l, v = len(lengths), c["max_position_embeddings"], c["vocab_size"]
    ids, values, mask = np.zeros((b, l), np.int64), np.zeros((b, l), np.float32), np.zeros((b, l), np.int64)
    for i, n in enumerate(lengths):
        ids[i, :n] = rng.permutation(np.arange(2, v))[:n]
        values[i, :n] = -np.sort(-np.log2(1 + rng.gamma(1.5, 1.5, n)).astype(np.float32))
        mask[i, :n] = 1
    return ids, values, mask, rng.integers(0, 2, b)


def mask_cells(ids, values, mask, v, rng):
    chosen = (rng.random(ids.shape) < 0.15) & (mask == 1)
    chosen[np.argmax(mask.sum(1)), 0] = True
    how = rng.random(ids.shape)
    shown, shown_values = ids.copy(), values.copy()
    shown[chosen & (how < 0.8)] = 1
    replaced = chosen & (how >= 0.8) & (how < 0.9)
    shown[replaced] = rng.integers(0, v, ids.shape)[replaced]
    shown_values[chosen & (how < 0.9)] = -1
    return shown, shown_values, np.where(chosen, ids, -100), np.where(chosen, values, -100).astype(np.float32)


def tensors(*arrays):
    return [torch.from_numpy(a).double() if a.dtype == np.float32 else torch.from_numpy(a) for a in arrays]


def save(file, name, value):
    value = value.detach().numpy() if torch.is_tensor(value) else np.asarray(value)
    value = value.astype(np.float32) if value.dtype == np.float64 else value
    if value.ndim:
        file.create_dataset(name, data=value, compression="gzip", compression_opts=9)
    else:
        file.create_dataset(name, data=value)


def save_outputs(file, root, model, batch, with_losses):
    ids, values, mask, species = batch[:4]
    states = model.hidden_states(ids, values, mask, species)
    for k, state in enumerate(states):
        save(file, f"{root}/hidden_{k}", state)
    if not with_losses:
        return states, None
    logits, predicted = model.predict(states[-1])
    losses = model.losses(logits, predicted, *batch[4:])
    save(file, f"{root}/logits", logits)
    save(file, f"{root}/predicted_values", predicted)
    for name, loss in zip(("id_loss", "value_loss", "loss"), losses):
        save(file, f"{root}/{name}", loss)
    return states, losses[2]


def decays(name):
    return not (name.endswith("bias") or "LayerNorm" in name or "cat_ln" in name)


def train(file, model, c, rng, lengths):
    named = dict(model.named_parameters())
    groups = [
        {"params": [p for n, p in named.items() if decays(n) == d], "weight_decay": 0.01 * d}
        for d in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.999), eps=1e-8)
    log = []
    for step in range(STEPS):
        ids, values, mask, species = random_cells(c, rng, lengths)
        shown, shown_values, labels, label_values = mask_cells(ids, values, mask, c["vocab_size"], rng)
        for name, array in dict(
            input_ids=shown,
            values=shown_values,
            attention_mask=mask,
            species=species,
            labels=labels,
            label_values=label_values,
        ).items():
            save(file, f"training/step_{step:02d}/{name}", array)
        batch = tensors(shown, shown_values, mask, species, labels, label_values)
        rate = PEAK * (step / WARMUP if step < WARMUP else (STEPS - step) / (STEPS - WARMUP))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        logits, predicted = model.predict(model.hidden_states(*batch[:4])[-1])
        losses = model.losses(logits, predicted, *batch[4:])
        losses[2].backward()
        norm = nn.utils.clip_grad_norm_(list(named.values()), 1.0)
        optimizer.step()
        log.append([rate, losses[2].item(), losses[0].item(), losses[1].item(), norm.item()])
    # Columns: learning rate, loss, id loss, value loss, gradient norm before clipping.
    file.create_dataset("training/log", data=np.array(log))
    for name in (
        "bert.embeddings.word_embeddings.weight",
        "bert.embeddings.concat_embeddings.cat_fc.weight",
        "bert.encoder.layer.0.attention.self.query.weight",
        "cls4value.predictions.decoder.weight",
    ):
        save(file, f"training/final/{name}", named[name])


def classify(file, model, states, species, classes, generator):
    h = model.config["hidden_size"]
    pooler, classifier = nn.Linear(h, h).double(), nn.Linear(h, classes).double()
    for module, name in ((pooler, "bert.pooler.dense"), (classifier, "classifier")):
        for p_name, p in module.named_parameters():
            p.data.normal_(0, 0.1, generator=generator)
            save(file, f"classifier/weights/{name}.{p_name}", p)
    labels = torch.arange(len(species)) % classes
    logits = classifier(torch.tanh(pooler(states[-1][:, 0])))
    save(file, "classifier/labels", labels)
    save(file, "classifier/logits", logits)
    save(file, "classifier/loss", nn.functional.cross_entropy(logits, labels))


def make(out, c, seed, lengths):
    torch.manual_seed(seed)
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    model = GeneCompass(c).double()
    model.initialise(generator)
    embeddings = model.bert.embeddings
    for p in PRIORS:
        if c["use_" + p]:
            getattr(embeddings, p + "_knowledge").normal_(generator=generator)
    half = c["vocab_size"] // 2
    embeddings.homologous_index[2:half:3] = torch.arange(2, half, 3) + half - 2
    model.load_state_dict(
        {k: v.float().double() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    )
    os.makedirs(out, exist_ok=True)
    stored = {k: v for k, v in c.items() if k != "prior_width"}
    json.dump(stored, open(os.path.join(out, "config.json"), "w"), indent=1)
    torch.save(
        {k: v.float() if v.is_floating_point() else v for k, v in model.state_dict().items()},
        os.path.join(out, "pytorch_model.bin"),
    )
    with h5py.File(os.path.join(out, "golden.h5"), "w") as file:
        ids, values, mask, species = random_cells(c, rng, lengths)
        shown, shown_values, labels, label_values = mask_cells(ids, values, mask, c["vocab_size"], rng)
        for name, array in dict(
            input_ids=ids,
            values=values,
            attention_mask=mask,
            species=species,
            masked_input_ids=shown,
            masked_values=shown_values,
            labels=labels,
            label_values=label_values,
        ).items():
            save(file, f"inputs/{name}", array)
        states, _ = save_outputs(file, "outputs/clean", model, tensors(ids, values, mask, species), False)
        if c["use_cls_token"]:
            classify(file, model, states, species, 7, generator)
        _, loss = save_outputs(
            file,
            "outputs/masked",
            model,
            tensors(shown, shown_values, mask, species, labels, label_values),
            True,
        )
        loss.backward()
        for name, p in model.named_parameters():
            save(file, f"gradients/{name}", p.grad)
        train(file, model, c, rng, lengths)


def check(folder):
    """The largest relative error of the reference against a fixture's masked hidden states, and its loss."""
    c = json.load(open(os.path.join(folder, "config.json")))
    weights = torch.load(os.path.join(folder, "pytorch_model.bin"))
    c["prior_width"] = next((w.shape[1] for n, w in weights.items() if n.endswith("_knowledge")), 1)
    model = GeneCompass(c)
    model.load_state_dict({k: v for k, v in weights.items() if not k.startswith("emb_warmup")})
    model.double()
    with h5py.File(os.path.join(folder, "golden.h5")) as file:
        arrays = [
            file["inputs/" + n][()]
            for n in (
                "masked_input_ids",
                "masked_values",
                "attention_mask",
                "species",
                "labels",
                "label_values",
            )
        ]
        batch = tensors(*arrays)
        states = model.hidden_states(*batch[:4])
        real = (
            torch.cat([torch.ones(len(arrays[3]), 1), batch[2]], 1).bool()
            if c["use_cls_token"]
            else batch[2].bool()
        )
        worst = 0.0
        for k, state in enumerate(states):
            golden = torch.from_numpy(file[f"outputs/masked/hidden_{k}"][()]).double()
            worst = max(worst, ((state - golden)[real].norm() / golden[real].norm()).item())
        loss = model.losses(*model.predict(states[-1]), *batch[4:])[2].item()
        print(
            f"hidden states differ by {worst:.2e}, loss {loss:.8f} against {file['outputs/masked/loss'][()]:.8f}"
        )
    return worst < 1e-5 and math.isfinite(loss)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out")
    parser.add_argument("--check", action="store_true", help="OUT is a fixture to compare the reference with")
    for name, default in dict(
        hidden=96, heads=3, layers=2, intermediate=72, vocabulary=67, positions=23, prior_width=12, seed=5
    ).items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    parser.add_argument("--lengths", default="1,23,20,5,2", help="genes of each cell")
    parser.add_argument("--without", default="", help="switches to turn off, e.g. co_exp,values,cls_token")
    parser.add_argument("--untied", action="store_true")
    a = parser.parse_args()
    if a.check:
        sys.exit(0 if check(a.out) else 1)
    c = dict(
        model_type="bert",
        vocab_size=a.vocabulary,
        hidden_size=a.hidden,
        num_hidden_layers=a.layers,
        num_attention_heads=a.heads,
        intermediate_size=a.intermediate,
        max_position_embeddings=a.positions,
        type_vocab_size=2,
        layer_norm_eps=1e-12,
        hidden_act="gelu",
        pad_token_id=0,
        attention_probs_dropout_prob=0.0,
        hidden_dropout_prob=0.0,
        initializer_range=0.02,
        warmup_steps=WARMUP,
        emb_warmup_steps=0,
        tie_word_embeddings=not a.untied,
        prior_width=a.prior_width,
    )
    for switch in ("values", "cls_token") + PRIORS:
        c["use_" + switch] = switch not in a.without.split(",")
    make(a.out, c, a.seed, [int(n) for n in a.lengths.split(",")])


if __name__ == "__main__":
    main()
