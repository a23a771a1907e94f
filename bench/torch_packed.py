"""The strongest PyTorch that we can write of the model: what lodestone is to be held against on a GPU.

Cells are packed one after the other; the part of the embedding that depends on ids alone is computed
once for each that occurs; attention is a fused kernel over the cells; the last layer and the heads
compute chosen rows only. Weights are those of the published definition, in its own module, and so are
the losses. Shapes: T genes, R rows (genes, and a CLS a cell), M chosen rows, U pairs of an id and its
prior knowledge, B cells, H hidden, V vocabulary.
"""

import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


def say(text):
    print(f"torch: {text}", file=sys.stderr, flush=True)


class Cells:
    """Where each cell's rows begin, for the device and for the host."""

    def __init__(self, lengths):
        self.lengths = lengths.tolist()
        self.longest = max(self.lengths)
        self.long_offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        self.offsets = self.long_offsets.to(torch.int32)


class PackedBatch:
    """Of the padded arrays of a batch (ids, values, mask, species, labels, label values)."""

    def __init__(self, model, ids, values, mask, species, labels, label_values):
        real, chosen = mask.bool(), labels != -100
        homologous = model.bert.embeddings.homologous_index
        prior_ids = torch.where(species[:, None] == 1, homologous[ids], ids)
        pairs, self.pair_of_gene = torch.unique(
            torch.stack([ids[real], prior_ids[real]]), dim=1, return_inverse=True
        )
        self.pair_ids, self.pair_priors = pairs  # [U]
        self.values, self.species = values[real], species
        self.ranks = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)[real]
        # Rows of a cell: its CLS, found behind all genes, and its genes.
        b, genes = len(ids), int(real.sum())
        row_real = torch.cat([torch.ones_like(real[:, :1]), real], 1)
        place = torch.zeros_like(ids)
        place[real] = torch.arange(genes, device=ids.device)
        cls_place = genes + torch.arange(b, device=ids.device)
        self.order = torch.cat([cls_place[:, None], place], 1)[row_real]  # [R]
        row_chosen = torch.cat([torch.zeros_like(chosen[:, :1]), chosen], 1)
        self.chosen = row_chosen[row_real].nonzero()[:, 0]  # [M], of R
        self.labels, self.label_values = labels[chosen], label_values[chosen]
        self.rows, self.queries = Cells(row_real.sum(1)), Cells(chosen.sum(1))


def plain_attention(q, k, v, dropout_p):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    return F.dropout(scores.softmax(-1), dropout_p) @ v


def cell_by_cell(q, k, v, queries, rows, dropout):
    """Everywhere; a kernel a cell, or those of PyTorch 1."""
    attend = getattr(F, "scaled_dot_product_attention", plain_attention)
    outs = []
    for cell in zip(q.split(queries.lengths), k.split(rows.lengths), v.split(rows.lengths)):
        outs.append(attend(*(x.transpose(0, 1)[None] for x in cell), dropout_p=dropout)[0].transpose(0, 1))
    return torch.cat(outs)


def nested(q, k, v, queries, rows, dropout):
    """Nested tensors: cuDNN or FlashAttention, as PyTorch chooses."""

    def jagged(x, cells):
        made = torch.nested.nested_tensor_from_jagged(x, cells.long_offsets, max_seqlen=cells.longest)
        return made.transpose(1, 2)

    out = F.scaled_dot_product_attention(jagged(q, queries), jagged(k, rows), jagged(v, rows), dropout_p=dropout)
    return out.transpose(1, 2).values()


def flash(q, k, v, queries, rows, dropout):
    """PyTorch's own FlashAttention over offsets."""
    return torch.ops.aten._flash_attention_forward(
        q, k, v, queries.offsets, rows.offsets, queries.longest, rows.longest, dropout, False, False
    )[0]


def varlen(q, k, v, queries, rows, dropout):
    from torch.nn.attention.varlen import varlen_attn

    return varlen_attn(q, k, v, queries.offsets, rows.offsets, queries.longest, rows.longest)


def flash_attn_2(q, k, v, queries, rows, dropout):
    from flash_attn import flash_attn_varlen_func

    return flash_attn_varlen_func(
        q, k, v, queries.offsets, rows.offsets, queries.longest, rows.longest, dropout_p=dropout
    )


def flash_attn_3(q, k, v, queries, rows, dropout):
    from flash_attn_interface import flash_attn_varlen_func

    out = flash_attn_varlen_func(q, k, v, queries.offsets, rows.offsets, queries.longest, rows.longest)
    return out[0] if isinstance(out, tuple) else out


WITHOUT_DROPOUT = (varlen, flash_attn_3)
FUSED = (flash_attn_3, flash_attn_2, varlen, flash, nested)


def attention_seconds(attend, batch, config, dtype, dropout):
    """Forward and backward of one layer."""
    device, width = batch.order.device, config["hidden_size"] // config["num_attention_heads"]
    shape = (len(batch.order), config["num_attention_heads"], width)
    q, k, v = (torch.randn(shape, device=device, dtype=dtype, requires_grad=True) for _ in range(3))
    best = float("inf")
    for _ in range(4):
        synchronize(device)
        start = time.perf_counter()
        attend(q, k, v, batch.rows, batch.rows, dropout).sum().backward()
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return best


def fastest_attention(batch, config, dtype, dropout):
    """Of those that this PyTorch can run, the fastest on these cells; all are printed."""
    best, best_seconds = cell_by_cell, attention_seconds(cell_by_cell, batch, config, dtype, dropout)
    say(f"attention cell_by_cell: {1e3 * best_seconds:.2f} ms")
    for attend in FUSED:
        if dropout > 0 and attend in WITHOUT_DROPOUT:
            say(f"attention {attend.__name__}: not used, it has no dropout")
            continue
        try:
            seconds = attention_seconds(attend, batch, config, dtype, dropout)
        except Exception as error:  # any of a dozen types: missing, refused, no kernel for the device
            say(f"attention {attend.__name__}: not to be had here ({str(error).strip().splitlines()[0][:120]})")
            continue
        say(f"attention {attend.__name__}: {1e3 * seconds:.2f} ms")
        if seconds < best_seconds:
            best, best_seconds = attend, seconds
    return best


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


class Packed(nn.Module):
    """model: the published definition's module, whose parameters these are."""

    def __init__(self, model, attend):
        super().__init__()
        self.model, self.config = model, model.config
        # Nested tensors and loops over cells are no work for a compiler.
        traced = attend not in (nested, cell_by_cell) or not hasattr(torch, "compiler")
        self.attend = attend if traced else torch.compiler.disable(attend)

    def embed(self, b):
        e, h = self.model.bert.embeddings, self.config["hidden_size"]
        c = e.concat_embeddings
        parts = [e.word_embeddings(b.pair_ids)]
        for prior in e.priors:
            knowledge = getattr(e, prior + "_knowledge")[b.pair_priors]
            parts.append(getattr(e, prior + "_embeddings").linear1(knowledge))
        weight = c.cat_fc.weight  # columns: word, value, prior knowledge
        table = F.linear(torch.cat(parts, -1), torch.cat([weight[:, :h], weight[:, h + 1 :]], 1), c.cat_fc.bias)
        t = c.cat_ln(F.embedding(b.pair_of_gene, table) + b.values[:, None] * weight[:, h])
        x = c.cat_proj(t * torch.sigmoid(1.702 * t))
        x = e.LayerNorm(x + e.token_type_embeddings.weight[0] + e.position_embeddings(b.ranks))
        cls = self.model.bert.cls_embedding(b.species)
        return torch.cat([e.dropout(x), cls]).to(table.dtype)[b.order]

    def layer(self, layer, x, b, chosen_only):
        s, h = layer.attention.self, self.config["hidden_size"]
        projections = (s.query, s.key, s.value)
        if chosen_only:
            residual, cells = x[b.chosen], b.queries
            weight = torch.cat([p.weight for p in projections[1:]])
            k, v = F.linear(x, weight, torch.cat([p.bias for p in projections[1:]])).split(h, -1)
            q = s.query(residual)
        else:
            residual, cells = x, b.rows
            weight = torch.cat([p.weight for p in projections])
            q, k, v = F.linear(x, weight, torch.cat([p.bias for p in projections])).split(h, -1)
        q, k, v = (y.unflatten(-1, (s.heads, -1)) for y in (q, k, v))
        a = self.attend(q, k, v, cells, b.rows, s.dropout.p if s.dropout.training else 0.0).flatten(1)
        x = layer.attention.output(a, residual).to(a.dtype)  # autocast leaves layer norms' results in f32
        return layer.output(F.gelu(layer.intermediate.dense(x)), x).to(a.dtype)

    def forward(self, b):
        """Sums of both losses over the chosen rows."""
        x = self.embed(b)
        *layers, last = self.model.bert.encoder.layer
        for layer in layers:
            x = self.layer(layer, x, b, False)
        x = self.layer(last, x, b, True)
        logits = self.model.cls.predictions(x)
        predicted = self.model.cls4value.predictions(x)[:, 0]
        id_sum = F.cross_entropy(logits.float(), b.labels, reduction="sum")
        return id_sum, ((predicted.float() - b.label_values) ** 2).sum()
