#include "kernels/cuda/choices_cublaslt.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

#include "engine/core/log.h"

// The file: a line that says whose it is, a line for each choice (the product, eight hexadecimal
// words), and a line with a checksum of all before it.
namespace lodestone::kernels {

namespace {

using Choices = std::map<std::string, Algorithm>;

// FNV-1a (Fowler, Noll and Vo).
std::uint64_t checksum(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

std::string first_line(const std::string& owner) {
  return fmt::format("lodestone: algorithms of matrix products, format 1, {}\n", owner);
}

std::string text_of(const std::string& owner, const Choices& choices) {
  std::string text = first_line(owner);
  for (const auto& [product, algorithm] : choices)
    text += fmt::format("{} {:016x}\n", product, fmt::join(algorithm, " "));
  return text + fmt::format("checksum {:016x}\n", checksum(text));
}

// Nothing unless the text is what text_of made of something for this owner.
std::optional<Choices> choices_in(const std::string& text, const std::string& owner) {
  std::istringstream lines(text);
  std::string line, product;
  if (!std::getline(lines, line) || line + "\n" != first_line(owner)) return std::nullopt;
  Choices choices;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    words >> product >> std::hex;
    if (product == "checksum") break;
    for (std::uint64_t& word : choices[product]) words >> word;
  }
  if (text_of(owner, choices) != text) return std::nullopt;
  return choices;
}

std::optional<std::string> contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

AlgorithmChoices::AlgorithmChoices(std::filesystem::path file, std::string owner)
    : file_(std::move(file)), owner_(std::move(owner)) {
  if (!read())
    log::warning("{}: damaged, or not of {}; products are timed again", file_.string(), owner_);
}

const Algorithm* AlgorithmChoices::find(const std::string& product) const {
  const auto found = choices_.find(product);
  return found == choices_.end() ? nullptr : &found->second;
}

void AlgorithmChoices::add(const std::string& product, const Algorithm& algorithm) {
  choices_[product] = algorithm;
  if (file_.empty()) return;
  read();
  write();
}

// What is known already stays as it is.
bool AlgorithmChoices::read() {
  const std::optional<std::string> text = contents(file_);
  if (!text) return true;
  std::optional<Choices> found = choices_in(*text, owner_);
  if (found) choices_.merge(*found);
  return found.has_value();
}

void AlgorithmChoices::write() const {
  const std::string text = text_of(owner_, choices_);
  const std::filesystem::path unfinished = fmt::format("{}.{}", file_.string(), getpid());
  std::error_code error;
  std::filesystem::create_directories(file_.parent_path(), error);
  std::ofstream out(unfinished, std::ios::binary);
  out << text;
  out.close();
  if (out) std::filesystem::rename(unfinished, file_, error);
  if (out && !error) return;
  log::warning("{}: could not be written", file_.string());
  std::filesystem::remove(unfinished, error);
}

}  // namespace lodestone::kernels
