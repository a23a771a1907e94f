#pragma once
#include <map>
#include <memory>
#include <string>

#include "data/token_directory.h"
#include "model/model_directory.h"
#include "train/config.h"

namespace lodestone {

// What a run reads, and the model made from it.
struct RunInputs {
  TokenDirectory data;
  std::unique_ptr<Model> model;
  std::string vocabulary_json;                // empty without a vocabulary
  std::map<std::string, std::string> hashes;  // XXH3 by setting: data, priors, vocab
};

// Opens the inputs that `config` names and fills in what it leaves to them: absolute paths, the
// vocabulary that lies in the token directory, model.vocabulary,
// model.prior_width, the priors that are not there (switched off, with a line that says so), or,
// with `init`, all of [model]. Throws kBadInput when the inputs do not fit each other.
RunInputs open_inputs(TrainConfig& config);

}  // namespace lodestone
