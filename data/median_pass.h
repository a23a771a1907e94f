#pragma once
#include <vector>

#include "data/cell_tokenizer.h"
#include "data/checked_file.h"
#include "data/vocabulary.h"

namespace lodestone {

// Replaces the medians of the vocabulary by those of the kept cells of all files; a gene that none
// of them expresses has none.
void fit_medians(std::vector<CheckedFile>& files, Vocabulary& vocabulary,
                 const ValueOptions& options, Passes& passes);

}  // namespace lodestone
