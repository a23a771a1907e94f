#pragma once
// The data frames (obs, var, raw/var) of an .h5ad file. Format: anndata's file format
// specification, dataframe 0.2.0 (anndata 0.8 and later).
#include <optional>
#include <string>
#include <vector>

#include "data/cell_source.h"
#include "engine/io/hdf5.h"

namespace lodestone {

// Throws kBadInput with what to do when the file was written by anndata before 0.8.
hdf5::Group open_frame(const hdf5::Group& root, const std::string& name);

std::vector<std::string> read_frame_index(const hdf5::Group& frame);

// A column with one entry for each of `rows` rows: strings, categorical, booleans ("True",
// "False"), numbers (NaN = missing), nullable-*. Nothing, with a warning, for other encodings.
std::optional<ObsColumn> read_frame_column(const hdf5::Group& frame, const std::string& name,
                                           std::int64_t rows);
std::vector<ObsColumn> read_frame_columns(const hdf5::Group& frame, std::int64_t rows);

// The genes of a var frame. When the index does not hold Ensembl ids but a column (gene_ids,
// ensembl_id, gene_id, feature_id, ensembl) does, that column gives the ids and the index the
// symbols. Throws kBadInput when an id occurs twice.
std::vector<GeneRecord> read_genes(const hdf5::Group& frame);

}  // namespace lodestone
