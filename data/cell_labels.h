#pragma once
// The obs columns of a token directory, from those of its files.
#include <span>
#include <string>
#include <vector>

#include "data/checked_file.h"

namespace lodestone {

// "dataset" and "species" first, then `wanted`, where {"auto"} stands for every column of labels
// that has at most 1000 of them. Throws kInvalidArgument for a column that no file has.
std::vector<std::string> obs_columns(std::span<const CheckedFile> files,
                                     const std::vector<std::string>& wanted);

// The labels of all kept cells. Categories come in the order in which cells show them; "dataset" is
// the file's name without extension, unless the file has that column.
ObsColumn labels_of(std::span<const CheckedFile> files, const std::string& name);

}  // namespace lodestone
