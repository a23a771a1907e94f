#include "tools/commands/model_vocabulary.h"

#include "engine/core/check.h"

namespace lodestone::tools {

Vocabulary model_vocabulary(const Model& model, const std::filesystem::path& folder,
                            const std::string& given) {
  const auto file = given.empty() ? folder / "vocab.json" : std::filesystem::path(given);
  check_input(std::filesystem::exists(file),
              "{}: there is no such file; give the vocabulary of the model with --vocab",
              file.string());
  Vocabulary vocabulary = Vocabulary::load(file);
  check_input(vocabulary.size() == model.network.config().vocabulary,
              "{}: has {} tokens, but the model {} was made for {}; give its own vocabulary",
              file.string(), vocabulary.size(), folder.string(), model.network.config().vocabulary);
  return vocabulary;
}

}  // namespace lodestone::tools
