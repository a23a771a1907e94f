#!/usr/bin/env python3
"""The published preprocessing, cell by cell in numpy, as a yardstick for `lodestone tokenize`.

Written from the specification of the values (counts / non-zero median of the gene, log2(1 + x),
ranked), one cell at a time, in two ways:

    names   as the published code goes about it: a cell is a dense row, its genes are picked by
            name, and every name is looked up in a dictionary of tokens
    arrays  the best that we can do cell by cell: sparse rows, tables indexed by column

Medians are fitted first, exactly, by a table of how often each count occurs (the published code is
given them). A CSR matrix of counts of one species.

    tokenize_numpy.py CELLS.h5ad VOCAB.json [--way names|arrays] [--cells N] [--check TOKENS]

Prints one JSON object: cells, seconds, cells_per_s. With --check it also reads the token directory
that `lodestone tokenize` made of the same file with the same vocabulary, and fails unless every
cell has the same tokens and the same values, to the bit.
"""
import argparse
import glob
import json
import sys
import time

import h5py
import numpy as np

LONGEST = 2048
Z_SCORE = 3.0
LEAST_CODING = 7


class Genes:
    """What the columns of the file mean to the vocabulary."""

    def __init__(self, file, vocabulary):
        human_of_mouse = {mouse: human for human, mouse in vocabulary["homologous"]}
        by_gene = {token["gene"]: token for token in vocabulary["tokens"]}
        names = [name.decode() for name in file["var"][file["var"].attrs["_index"]][:]]
        tokens = [by_gene.get(name.split(".")[0]) for name in names]
        self.names = names
        self.token_of_name = {name: human_of_mouse.get(token["id"], token["id"])
                              for name, token in zip(names, tokens) if token}
        self.own = np.array([token["id"] if token else -1 for token in tokens])
        self.written = np.array([human_of_mouse.get(own, own) for own in self.own.tolist()])
        self.coding = np.array([bool(token) and token.get("biotype") in ("protein_coding", "miRNA")
                                for token in tokens])
        self.mitochondrial = np.array([bool(token) and token.get("symbol", "").lower().startswith("mt-")
                                       for token in tokens])


class Cells:
    """Cells of a CSR matrix, read one at a time."""

    def __init__(self, file, count):
        self.offsets = file["X/indptr"][: count + 1]
        self.data, self.indices = file["X/data"], file["X/indices"]

    def __len__(self):
        return len(self.offsets) - 1

    def __getitem__(self, cell):
        begin, end = self.offsets[cell], self.offsets[cell + 1]
        return self.indices[begin:end], self.data[begin:end].astype(np.float64)


def kept_cells(cells, genes):
    """Indices of the cells that pass quality control."""
    totals, shares, coding = np.zeros(len(cells)), np.zeros(len(cells)), np.zeros(len(cells))
    for cell in range(len(cells)):
        columns, counts = cells[cell]
        totals[cell] = counts.sum()
        if totals[cell] > 0:
            shares[cell] = counts[genes.mitochondrial[columns]].sum() / totals[cell]
        coding[cell] = np.count_nonzero(genes.coding[columns])
    keep = totals > 0
    for quantity in (totals, shares):
        of_cells = quantity[totals > 0]
        if of_cells.min() != of_cells.max():
            keep &= np.abs((quantity - of_cells.mean()) / of_cells.std()) < Z_SCORE
    return np.flatnonzero(keep & (coding >= LEAST_CODING))


def fitted_medians(cells, kept, genes):
    """Non-zero medians by column; 1 where nothing is expressed."""
    times = np.zeros((len(genes.own), 256), np.int64)  # how often a gene has a count
    for cell in kept:
        columns, counts = cells[cell]
        most = int(counts.max())
        if most >= times.shape[1]:
            times = np.pad(times, ((0, 0), (0, 2 * most - times.shape[1])))
        times[columns, counts.astype(np.int64)] += 1
    medians = np.ones(len(genes.own))
    for column, of_gene in enumerate(times):
        total = of_gene.sum()
        if total:
            middle = np.searchsorted(np.cumsum(of_gene), [(total - 1) // 2, total // 2], "right")
            medians[column] = middle.mean()
    return medians


def by_names(columns, counts, genes, medians):
    """A cell's tokens and values as the published code finds them: a dense row, names, a
    dictionary."""
    row = np.zeros(len(genes.own))
    row[columns] = counts
    row = np.log2(1 + row / medians)
    expressed = np.nonzero(row)[0]
    names = np.array(genes.names)[expressed]
    known = [i for i, name in enumerate(names) if name in genes.token_of_name]
    tokens = np.array([genes.token_of_name[names[i]] for i in known])
    return tokens, row[expressed][known].astype(np.float32)


def by_arrays(columns, counts, genes, medians):
    """The same by tables indexed by column."""
    known = genes.own[columns] >= 0
    columns, counts = columns[known], counts[known]
    return genes.written[columns], np.log2(1 + counts / medians[columns]).astype(np.float32)


def tokenized(cells, kept, genes, medians, of_cell):
    """Tokens and values of every kept cell, ranked."""
    result = []
    for cell in kept:
        tokens, values = of_cell(*cells[cell], genes, medians)
        order = np.lexsort((tokens, -values))[:LONGEST]
        result.append((tokens[order], values[order]))
    return result


def check(directory, names, kept, ours):
    """Fails unless the token directory holds the same cells."""
    expected = {names[cell]: i for i, cell in enumerate(kept)}
    for path in sorted(glob.glob(f"{directory}/shard-*.h5")):
        with h5py.File(path) as shard:
            offsets, tokens, values = shard["offsets"][:], shard["tokens"][:], shard["values"][:]
            for i, name in enumerate(shard["cell_id"][:]):
                own_tokens, own_values = ours[expected.pop(name.decode())]
                here = slice(offsets[i], offsets[i + 1])
                if not (np.array_equal(tokens[here], own_tokens)
                        and np.array_equal(values[here], own_values)):
                    sys.exit(f"{path}: cell {name.decode()} differs from numpy's")
    if expected:
        sys.exit(f"{directory}: lacks {len(expected)} cells, such as {next(iter(expected))}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells")
    parser.add_argument("vocabulary")
    parser.add_argument("--way", choices=("names", "arrays"), default="names")
    parser.add_argument("--cells", dest="count", type=int, help="only the first so many")
    parser.add_argument("--check", metavar="TOKENS", help="token directory to compare with")
    options = parser.parse_args()
    with open(options.vocabulary) as file:
        vocabulary = json.load(file)
    with h5py.File(options.cells) as file:
        start = time.perf_counter()
        genes = Genes(file, vocabulary)
        total = len(file["X/indptr"]) - 1
        cells = Cells(file, min(options.count or total, total))
        kept = kept_cells(cells, genes)
        medians = fitted_medians(cells, kept, genes)
        of_cell = by_names if options.way == "names" else by_arrays
        result = tokenized(cells, kept, genes, medians, of_cell)
        seconds = time.perf_counter() - start
        names = [name.decode() for name in file["obs"][file["obs"].attrs["_index"]][:]]
    if options.check:
        check(options.check, names, kept, result)
    print(json.dumps({"way": options.way, "cells": len(cells), "kept": len(kept), "seconds": seconds,
                      "cells_per_s": len(cells) / seconds}))


if __name__ == "__main__":
    main()
