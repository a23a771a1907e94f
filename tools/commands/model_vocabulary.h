#pragma once
#include <filesystem>
#include <string>

#include "data/vocabulary.h"
#include "model/model_directory.h"

namespace lodestone::tools {

// The vocabulary to tokenise cells with for a model: the file `given`, or when that is empty the
// one in the model directory `folder`. Throws kBadInput when there is none or it is of another
// size.
Vocabulary model_vocabulary(const Model& model, const std::filesystem::path& folder,
                            const std::string& given);

}  // namespace lodestone::tools
