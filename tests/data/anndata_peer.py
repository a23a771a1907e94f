"""What Python's anndata writes and reads, for the tests of h5ad files. Prints JSON.

  anndata_peer.py zoo FOLDER       writes files of many forms; prints what each holds
  anndata_peer.py bad FOLDER       writes files that must be refused
  anndata_peer.py describe FILE    prints what anndata sees in a file
  anndata_peer.py sums FOLDER      prints sums over X of every .h5ad file in a folder
"""
import json
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")
import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse

CELLS, GENES = 37, 23


def label(value):
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def labels(column):
    return [label(value) for value in column.astype(object)]


def rows_of(matrix):
    dense = matrix.toarray() if scipy.sparse.issparse(matrix) else np.asarray(matrix)
    return dense.astype(float).tolist()


def counts(seed=0, genes=GENES):
    random = np.random.default_rng(seed)
    return random.poisson(random.gamma(0.3, 4, (CELLS, genes)))


def ensembl_ids(count, first=0):
    return [f"ENSG{i:011d}" for i in range(first, first + count)]


def cells_of(matrix, genes=None):
    names = genes or ensembl_ids(matrix.shape[1])
    return anndata.AnnData(
        matrix,
        obs=pd.DataFrame(index=[f"cell-{i}" for i in range(matrix.shape[0])]),
        var=pd.DataFrame(index=names),
        dtype=matrix.dtype,
    )


def write(folder, name, data, matrix, expected, symbols=None, **options):
    path = pathlib.Path(folder) / f"{name}.h5ad"
    data.write_h5ad(path, **options)
    back = anndata.read_h5ad(path)
    return {
        "file": path.name,
        "matrix": matrix,
        "cells": list(back.obs_names),
        "rows": rows_of(expected(back)),
        "symbols": symbols or [],
        "obs": {name: labels(back.obs[name]) for name in back.obs},
    }


def narrow_arrays(path, group, indices, indptr):
    """Stores the index arrays with other types."""
    with h5py.File(path, "r+") as file:
        for name, dtype in (("indices", indices), ("indptr", indptr)):
            values = file[group][name][...].astype(dtype)
            del file[group][name]
            file[group].create_dataset(name, data=values)


def with_columns(data):
    data.obs["label"] = pd.Categorical([["b", "a", None][i % 3] for i in range(CELLS)])
    data.obs["cluster"] = pd.Categorical([i % 4 for i in range(CELLS)])
    data.obs["text"] = [f"text {i % 5}" for i in range(CELLS)]
    data.obs["flag"] = [i % 2 == 0 for i in range(CELLS)]
    data.obs["whole"] = np.arange(CELLS, dtype=np.int32) - 3
    data.obs["real"] = [0.25 * i if i % 6 else np.nan for i in range(CELLS)]
    data.obs["maybe"] = pd.array([i if i % 4 else None for i in range(CELLS)], dtype="Int64")
    data.obs["maybe_flag"] = pd.array([i > 4 if i % 5 else None for i in range(CELLS)],
                                      dtype="boolean")
    return data


def zoo(folder):
    layouts = {"csr": scipy.sparse.csr_matrix, "csc": scipy.sparse.csc_matrix, "dense": np.asarray}
    made = []
    for seed, (layout, make) in enumerate(layouts.items()):
        for dtype in ("int32", "int64", "uint16", "float32", "float64"):
            for compression in (None, "gzip"):
                data = cells_of(make(counts(seed).astype(dtype)))
                name = f"{layout}-{dtype}-{compression}"
                made.append(write(folder, name, data, "X", lambda d: d.X, compression=compression))
        for indices, indptr in (("uint8", "uint16"), ("int64", "int64"), ("uint32", "uint64")):
            if layout == "dense":
                continue
            name = f"{layout}-{indices}-{indptr}"
            data = cells_of(make(counts(seed).astype("float32")))
            made.append(write(folder, name, data, "X", lambda d: d.X))
            narrow_arrays(pathlib.Path(folder) / f"{name}.h5ad", "X", indices, indptr)
    normalised = np.log1p(counts().astype("float32") / 3)
    layered = cells_of(scipy.sparse.csr_matrix(normalised))
    layered.layers["counts"] = scipy.sparse.csc_matrix(counts(5).astype("float32"))
    made.append(write(folder, "layer", layered, "layers/counts", lambda d: d.layers["counts"]))
    whole = cells_of(scipy.sparse.csr_matrix(counts(6, 31).astype("float32")))
    raw = cells_of(normalised)
    raw.raw = whole
    made.append(write(folder, "raw", raw, "raw/X", lambda d: d.raw.X))
    unsorted = counts(7).astype("float32")
    csr = scipy.sparse.csr_matrix(unsorted)
    for cell in range(CELLS):
        line = slice(csr.indptr[cell], csr.indptr[cell + 1])
        csr.indices[line] = csr.indices[line][::-1].copy()
        csr.data[line] = csr.data[line][::-1].copy()
    csr.data[::7] = 0  # zeros that are stored
    made.append(write(folder, "unsorted", cells_of(csr), "X", lambda d: d.X))
    columns = with_columns(cells_of(scipy.sparse.csr_matrix(counts(8))))
    made.append(write(folder, "columns", columns, "X", lambda d: d.X))
    symbols = [f"GENE{i}" for i in range(GENES)]
    named = cells_of(scipy.sparse.csr_matrix(counts(9)), symbols)
    named.var["gene_ids"] = ensembl_ids(GENES)
    made.append(write(folder, "symbols", named, "X", lambda d: d.X, symbols))
    other = cells_of(scipy.sparse.csr_matrix(counts(10)))
    other.var["feature_name"] = pd.Categorical(symbols)
    made.append(write(folder, "feature-name", other, "X", lambda d: d.X, symbols))
    return made


def bad(folder):
    folder = pathlib.Path(folder)

    def save(name, matrix, edit=None, genes=None, **options):
        path = folder / f"{name}.h5ad"
        cells_of(matrix, genes).write_h5ad(path, **options)
        if edit:
            with h5py.File(path, "r+") as file:
                edit(file)

    def put(name, place, value):
        def edit(file):
            file["X"][name][place] = value
        return edit

    def replace(name, change):
        def edit(file):
            values = change(file[name][...])
            del file[name]
            file.create_dataset(name, data=values)
        return edit

    def older(file):
        file["obs"].attrs["encoding-version"] = "0.1.0"

    def lzf(file):
        values = file["X/data"][...]
        del file["X/data"]
        file["X"].create_dataset("data", data=values, compression="lzf")

    def unknown_column(file):
        file["obs"].create_group("odd").attrs["encoding-type"] = "awkward-array"
        file["obs"].attrs["column-order"] = np.array(["odd"], dtype=h5py.string_dtype())

    csr = scipy.sparse.csr_matrix(counts().astype("float32"))
    save("good", csr)
    save("normalised", scipy.sparse.csr_matrix(np.log1p(counts().astype("float32") / 3)))
    save("negative", csr, put("data", 3, -2))
    save("nan", csr, put("data", 3, np.nan))
    save("infinite", csr, put("data", 3, np.inf))
    save("duplicate-genes", csr, genes=ensembl_ids(GENES - 1) + ensembl_ids(1, 4))
    save("index-out-of-range", csr, put("indices", 5, GENES))
    save("negative-index", csr, put("indices", 5, -1))
    save("not-monotone", csr, put("indptr", 4, 10**6))
    save("short-indptr", csr, replace("X/indptr", lambda v: v[:-1]))
    save("wrapped", csr, put("indptr", slice(20, None), -7))
    save("short-data", csr, replace("X/data", lambda v: v[:-1]))
    save("gene-twice", csr, lambda file: put("indices", 1, file["X/indices"][0])(file))
    save("fewer-cells", csr, replace("obs/_index", lambda v: v[:-1]))
    save("older", csr, older)
    save("lzf", csr, lzf)
    save("unknown-column", csr, unknown_column)
    save("no-obs", csr, lambda file: file.__delitem__("obs"))
    save("no-matrix", csr, lambda file: file.__delitem__("X"))
    save("no-cells", scipy.sparse.csr_matrix((0, GENES), dtype="float32"))
    save("no-genes", scipy.sparse.csr_matrix((CELLS, 0), dtype="float32"))
    # One fractional value between the places that are sampled before reading.
    large = scipy.sparse.csr_matrix(np.ones((700, 1000), dtype="float32"))
    save("late", large, put("data", 21870, 0.5))
    return []


def describe(path):
    data = anndata.read_h5ad(path)
    return {
        "dtype": str(data.X.dtype),
        "type": type(data.X).__name__,
        "cells": list(data.obs_names),
        "genes": list(data.var_names),
        "rows": rows_of(data.X),
        "obs": {name: labels(data.obs[name]) for name in data.obs},
        "obs_types": {name: str(data.obs[name].dtype) for name in data.obs},
        "var": {name: labels(data.var[name]) for name in data.var},
        "layers": sorted(data.layers),
        "raw": data.raw is not None,
        "obsm": {name: np.asarray(data.obsm[name]).tolist() for name in data.obsm},
        "obsm_types": {name: str(data.obsm[name].dtype) for name in data.obsm},
        "uns": {name: str(data.uns[name]) for name in data.uns},
    }


def sums(folder):
    made = []
    for path in sorted(pathlib.Path(folder).glob("*.h5ad")):
        matrix = anndata.read_h5ad(path).X.tocoo()
        values = matrix.data.astype("int64")
        made.append({
            "file": path.name,
            "shape": list(matrix.shape),
            "entries": int(np.count_nonzero(values)),
            "sum": int(values.sum()),
            "by_gene": int((values * (matrix.col + 1)).sum()),
            "by_cell": int((values * (matrix.row + 1)).sum()),
        })
    return made


commands = {"zoo": zoo, "bad": bad, "describe": describe, "sums": sums}
print(json.dumps(commands[sys.argv[1]](sys.argv[2])))
