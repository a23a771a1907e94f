"""Tokenises cells as section 1 of the specification says, with numpy alone.

Usage: tokenizer_peer.py IN OUT. IN: matrix.tsv of counts [cells, genes] and genes.tsv of
written token, own token (-1 = not in the vocabulary), coding, mitochondrial per gene.
OUT: one line per kept cell: its number, then token:value with the bits of the float32.
"""
import sys

import numpy as np

counts = np.loadtxt(sys.argv[1] + "/matrix.tsv", ndmin=2)
written, own, coding, mitochondrial = np.loadtxt(sys.argv[1] + "/genes.tsv", dtype=int).T
normalise = len(sys.argv) > 3

total = counts.sum(axis=1)
alive = total > 0
share = np.where(alive, (counts * mitochondrial).sum(axis=1) / np.maximum(total, 1), 0)
keep = alive.copy()
for quantity in (total, share):
    mean, deviation = quantity[alive].mean(), quantity[alive].std()
    if np.ptp(quantity[alive]) > 0:
        keep &= np.abs((quantity - mean) / deviation) < 3
known = own >= 0
keep &= ((counts > 0) & known & (coding == 1)).sum(axis=1) >= 7
if normalise:
    counts = counts / np.maximum(total, 1)[:, None] * 10000

medians = np.ones(counts.shape[1])
for gene in np.flatnonzero(known):
    values = counts[keep, gene]
    if (values > 0).any():
        medians[gene] = np.median(values[values > 0])

with open(sys.argv[2], "w") as out:
    for cell in np.flatnonzero(keep):
        genes = np.flatnonzero((counts[cell] > 0) & known)
        values = np.log2(1 + counts[cell, genes] / medians[genes]).astype(np.float32)
        order = np.lexsort((written[genes], -values))[:2048]
        bits = values[order].view(np.uint32)
        pairs = zip(written[genes][order], bits)
        out.write(str(cell) + "".join(f" {t}:{b}" for t, b in pairs) + "\n")
