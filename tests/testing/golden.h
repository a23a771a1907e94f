#pragma once
// The fixture of numbers that the model must reproduce: a folder with golden.h5 (weights, inputs,
// outputs, gradients, a training log), config.json and pytorch_model.bin. The environment variable
// GOLDEN_DIR names it; by default it is the one that lies beside the project, or, where that is not
// there, the one of tests/golden.
#include <filesystem>
#include <string>
#include <vector>

#include "engine/io/hdf5.h"
#include "model/padded_batch.h"

namespace lodestone::testing {

std::filesystem::path golden_directory();
// $LODESTONE_SHARED, default ../shared beside the project.
std::filesystem::path shared_directory();

// A float dataset as an f32 tensor of its shape.
Tensor read_tensor(const hdf5::Group& group, const std::string& name);
double read_scalar(const hdf5::Group& group, const std::string& name);

// Padded cells of a group of the fixture. `masked`: inputs/masked_input_ids, masked_values with
// labels; a training step has its masked arrays under the plain names.
PaddedCells read_cells(const hdf5::Group& group, bool with_labels, const std::string& ids,
                       const std::string& values);

// The rows of padded [B, L', C] that belong to real positions of packed cells: [R, C].
Tensor real_rows(const Tensor& padded, const Tensor& offsets);

}  // namespace lodestone::testing
