"""GeneCompass in plain, eager PyTorch, padded, written from the definition of the model (Yang et al.,
Cell Research 2024) and the names of its published checkpoints. A peer to compare with, nothing more.

Shapes: B cells, L genes, H hidden, V vocabulary, P prior width.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

PRIORS = ("promoter", "co_exp", "gene_family", "peca_grn")


class PriorEmbedding(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.linear1 = nn.Linear(width, hidden)


class Concatenation(nn.Module):
    def __init__(self, hidden, parts, values):
        super().__init__()
        self.cat_fc = nn.Linear(parts * hidden + (1 if values else 0), hidden)
        self.cat_ln = nn.LayerNorm(hidden, eps=1e-5)
        self.cat_proj = nn.Linear(hidden, hidden)

    def forward(self, u):
        t = self.cat_ln(self.cat_fc(u))
        return self.cat_proj(t * torch.sigmoid(1.702 * t))


class Embeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, v = c["hidden_size"], c["vocab_size"]
        self.word_embeddings = nn.Embedding(v, h, padding_idx=0)
        self.priors = [p for p in PRIORS if c["use_" + p]]
        for p in self.priors:
            setattr(self, p + "_embeddings", PriorEmbedding(c["prior_width"], h))
            self.register_buffer(p + "_knowledge", torch.zeros(v, c["prior_width"]))
        self.concat_embeddings = Concatenation(h, 1 + len(self.priors), c["use_values"])
        self.position_embeddings = nn.Embedding(c["max_position_embeddings"], h)
        self.token_type_embeddings = nn.Embedding(2, h)
        self.LayerNorm = nn.LayerNorm(h, eps=c["layer_norm_eps"])
        self.register_buffer("position_ids", torch.arange(c["max_position_embeddings"])[None])
        self.register_buffer("homologous_index", torch.arange(v))
        self.use_values = c["use_values"]
        self.dropout = nn.Dropout(c["hidden_dropout_prob"])

    def forward(self, ids, values, species):
        prior_ids = torch.where(species[:, None] == 1, self.homologous_index[ids], ids)
        parts = [self.word_embeddings(ids)]
        if self.use_values:
            parts.append(values[..., None])
        for p in self.priors:
            knowledge = getattr(self, p + "_knowledge")[prior_ids]
            parts.append(getattr(self, p + "_embeddings").linear1(knowledge))
        e = self.concat_embeddings(torch.cat(parts, -1))
        rank = self.position_ids[0, : ids.shape[1]]
        x = self.LayerNorm(e + self.token_type_embeddings.weight[0] + self.position_embeddings(rank))
        return self.dropout(x)


class SelfAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        h = c["hidden_size"]
        self.query, self.key, self.value = (nn.Linear(h, h) for _ in range(3))
        self.heads = c["num_attention_heads"]
        self.dropout = nn.Dropout(c["attention_probs_dropout_prob"])

    def forward(self, x, key_mask):
        b, l, h = x.shape
        q, k, v = (
            p(x).view(b, l, self.heads, -1).transpose(1, 2) for p in (self.query, self.key, self.value)
        )
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(~key_mask[:, None, None, :], float("-inf"))
        return (self.dropout(scores.softmax(-1)) @ v).transpose(1, 2).reshape(b, l, h)


class Output(nn.Module):
    def __init__(self, inside, hidden, eps, dropout):
        super().__init__()
        self.dense = nn.Linear(inside, hidden)
        self.dropout = nn.Dropout(dropout)
        self.LayerNorm = nn.LayerNorm(hidden, eps=eps)

    def forward(self, x, residual):
        return self.LayerNorm(residual + self.dropout(self.dense(x)))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, f, eps = c["hidden_size"], c["intermediate_size"], c["layer_norm_eps"]
        dropout = c["hidden_dropout_prob"]
        self.attention = nn.Module()
        self.attention.self = SelfAttention(c)
        self.attention.output = Output(h, h, eps, dropout)
        self.intermediate = nn.Module()
        self.intermediate.dense = nn.Linear(h, f)
        self.output = Output(f, h, eps, dropout)

    def forward(self, x, key_mask):
        x = self.attention.output(self.attention.self(x, key_mask), x)
        return self.output(F.gelu(self.intermediate.dense(x)), x)


class Predictions(nn.Module):
    def __init__(self, c, outputs):
        super().__init__()
        h = c["hidden_size"]
        self.transform = nn.Module()
        self.transform.dense = nn.Linear(h, h)
        self.transform.LayerNorm = nn.LayerNorm(h, eps=c["layer_norm_eps"])
        self.decoder = nn.Linear(h, outputs)
        self.bias = self.decoder.bias

    def forward(self, x):
        return self.decoder(self.transform.LayerNorm(F.gelu(self.transform.dense(x))))


class GeneCompass(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config = c
        self.bert = nn.Module()
        self.bert.embeddings = Embeddings(c)
        if c["use_cls_token"]:
            self.bert.cls_embedding = nn.Embedding(2, c["hidden_size"])
        self.bert.encoder = nn.Module()
        self.bert.encoder.layer = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.cls = nn.Module()
        self.cls.predictions = Predictions(c, c["vocab_size"])
        if c.get("tie_word_embeddings", True):
            self.cls.predictions.decoder.weight = self.bert.embeddings.word_embeddings.weight
        self.cls4value = nn.Module()
        self.cls4value.predictions = Predictions(c, 1)

    def initialise(self, generator):
        """normal(0, 0.02) with zero biases, and noise on what would otherwise be trivial."""
        for name, p in self.named_parameters():
            norm = "LayerNorm.weight" in name or "cat_ln.weight" in name
            with torch.no_grad():
                p.normal_(0, 0.05, generator=generator)
                if norm:
                    p.add_(1)

    def hidden_states(self, ids, values, mask, species):
        """[B, L + 1, H] after the embedding and after each layer (without CLS: [B, L, H])."""
        x = self.bert.embeddings(ids, values, species)
        key_mask = mask.bool()
        if self.config["use_cls_token"]:
            x = torch.cat([self.bert.cls_embedding(species)[:, None], x], 1)
            key_mask = torch.cat([torch.ones_like(key_mask[:, :1]), key_mask], 1)
        states = [x]
        for layer in self.bert.encoder.layer:
            states.append(layer(states[-1], key_mask))
        return states

    def predict(self, last):
        genes = last[:, 1:] if self.config["use_cls_token"] else last
        return self.cls.predictions(genes), self.cls4value.predictions(genes)[..., 0]

    def losses(self, logits, predicted, labels, label_values):
        chosen = labels != -100
        id_loss = F.cross_entropy(logits[chosen], labels[chosen])
        value_loss = ((predicted[chosen] - label_values[chosen]) ** 2).mean()
        return id_loss, value_loss, 0.2 * id_loss + 0.8 * value_loss
