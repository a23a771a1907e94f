// Three passes over the cells: quality control, medians, tokens. After the first the length of
// every cell is known, so tokens go straight to their place in a shard. What each pass has finished
// is kept in a work folder (data/work_folder.h).
#include "data/tokenizer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <utility>

#include "data/cell_labels.h"
#include "data/cell_tokenizer.h"
#include "data/checked_file.h"
#include "data/gene_id.h"
#include "data/median_pass.h"
#include "data/medians.h"
#include "data/token_directory_writer.h"
#include "data/work_folder.h"
#include "engine/config/config.h"
#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/core/threads.h"
#include "engine/io/files.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Sources = std::span<const std::unique_ptr<CellSource>>;

constexpr std::int64_t kCellsPerThread = 32;

void check_config(const TokenizeConfig& config) {
  check(config.max_length > 0, "max_length is {}, expected at least 1", config.max_length);
  check(config.target_total > 0, "target_total is {}, expected a number above 0",
        config.target_total);
  check(config.z_score > 0, "z_score is {}, expected a number above 0", config.z_score);
  // A cell without a gene has no token.
  check(config.min_coding_genes > 0, "min_coding_genes is {}, expected at least 1",
        config.min_coding_genes);
  check(config.min_mapped >= 0 && config.min_mapped <= 1,
        "min_mapped is {}, expected a share from 0 to 1", config.min_mapped);
  check(config.species == "auto" || parse_species(config.species),
        "species is '{}', expected auto, human or mouse", config.species);
  check(config.save_cells > 0, "save_cells is {}, expected at least 1", config.save_cells);
}

bool fits_medians(const Vocabulary& vocabulary, const TokenizeConfig& config) {
  return config.medians == "fit" || (config.medians == "auto" && !has_medians(vocabulary));
}

// All that the bytes of the output depend on.
json job_of(Sources files, const Vocabulary& vocabulary, TokenizeConfig config) {
  config.save_cells = 0;  // when work is saved changes nothing
  const std::string known = vocabulary.text();
  json job = {{"job", "tokenize"},
              {"settings", json::parse(config::to_json(config::fields_of(config)))},
              {"seed", config.seed},
              {"vocabulary", hash_bytes(std::as_bytes(std::span(known)))},
              {"medians", identity_of_file(config.medians)},
              {"inputs", json::array()}};
  for (const auto& source : files)
    job["inputs"].push_back({{"file", identity_of_file(source->path())},
                             {"matrix", source->matrix()},
                             {"cells", source->cells()},
                             {"genes", source->genes().size()}});
  return job;
}

class TokenizeJob {
 public:
  TokenizeJob(Sources files, Vocabulary& vocabulary, const TokenizeConfig& config,
              const TokenizeProgress& progress, WorkFolder& work)
      : files_(files), vocabulary_(vocabulary), config_(config), work_(work), passes_{progress} {
    for (const auto& source : files)
      passes_.total += source->cells() * (fits_medians(vocabulary, config) ? 3 : 2);
  }

  TokenizeReport run() {
    say_what_is_done();
    check_files();
    set_medians();
    report_.genes_with_median =
        std::count_if(vocabulary_.tokens().begin(), vocabulary_.tokens().end(),
                      [](const GeneToken& token) { return token.median.has_value(); });
    report_.target_total = config_.normalise_total ? config_.target_total : 0;
    report_.obs = obs_columns(checked_, config_.obs);
    for (const CheckedFile& file : checked_) report_.files.push_back(file.report);
    write_tokens();
    return report_;
  }

 private:
  void say_what_is_done() const;
  QualityControl quality_of(std::size_t index, const GeneMapping& mapping);
  CheckedFile check_file(std::size_t index);
  void check_files();
  void set_medians();
  TokenPlan plan() const;
  std::unique_ptr<TokenDirectoryWriter> take_up(const TokenDirectoryWriter::Options& options);
  void write_tokens();
  void write_file(CheckedFile& file, TokenDirectoryWriter& writer, BackgroundSaves& saves);
  std::uint64_t write_block(const CheckedFile& file, const CellTokenizer& tokenizer,
                            const CellBlock& block, const std::vector<std::int64_t>& kept,
                            std::int64_t first, TokenDirectoryWriter& writer) const;

  ValueOptions values() const {
    return {config_.normalise_total, config_.target_total, config_.max_length};
  }

  Sources files_;
  Vocabulary& vocabulary_;
  const TokenizeConfig& config_;
  WorkFolder& work_;
  Passes passes_;
  std::vector<CheckedFile> checked_;
  TokenizeReport report_;
  std::int64_t done_cells_ = 0;    // of all files, whose tokens are written
  std::uint64_t done_digest_ = 0;  // of these tokens
};

void TokenizeJob::say_what_is_done() const {
  const json state = work_.state();
  if (state.contains("cells") && state["cells"] > 0)
    log::info("{}: continues after cell {}", work_.path().string(),
              state["cells"].get<std::int64_t>());
  else if (state.contains("quality"))
    log::info("{}: continues after quality control of {} of {} files", work_.path().string(),
              state["quality"].size(), files_.size());
}

// As it was kept, or measured now and kept.
QualityControl TokenizeJob::quality_of(std::size_t index, const GeneMapping& mapping) {
  const fs::path kept = work_.path() / fmt::format("quality-{:05}.h5", index);
  if (const json known = work_.state(); index < known.value("quality", json::array()).size()) {
    if (fs::exists(kept) && known["quality"][index] == hash_file(kept)) return load_quality(kept);
    work_.start_anew(kept.filename().string() + " was changed");
    for (std::size_t before = 0; before < index; ++before)
      quality_of(before, checked_[before].mapping);
  }
  QualityControl quality =
      control_quality(*files_[index], mapping, {config_.z_score, config_.min_coding_genes});
  publish_file(kept, [&](const fs::path& staged) { save_quality(quality, staged); });
  json state = work_.state();
  state["quality"].push_back(hash_file(kept));
  work_.save(std::move(state));
  return quality;
}

CheckedFile TokenizeJob::check_file(std::size_t index) {
  CellSource& source = *files_[index];
  CheckedFile file{&source, map_genes(source, vocabulary_, parse_species(config_.species)), {}, {}};
  file.quality = quality_of(index, file.mapping);
  file.report = describe(source, file.mapping, file.quality, config_.max_length);
  const double mapped = 1 - file.report.counts_lost;
  check_input(mapped >= config_.min_mapped,
              "{}: only {:.1f} % of its counts are of genes in the vocabulary, expected at least "
              "{:.1f} %; check its gene ids and species, or accept it with --min-mapped {:.2f}",
              source.path().string(), 100 * mapped, 100 * config_.min_mapped,
              std::floor(100 * mapped) / 100);
  log::info("{}: {} of {} cells kept, {} of {} genes in the vocabulary", file.report.file,
            file.report.kept, file.report.cells, file.report.mapped, file.report.genes);
  return file;
}

void TokenizeJob::check_files() {
  std::int64_t cells = 0, kept = 0;
  for (std::size_t index = 0; index < files_.size(); ++index) {
    CheckedFile& file = checked_.emplace_back(check_file(index));
    file.first_cell = std::exchange(cells, cells + file.report.cells);
    file.first_kept = std::exchange(kept, kept + file.report.kept);
    passes_.advance(file.report.cells);
  }
  check_input(kept > 0,
              "quality control left none of the cells of {}{}; expected cells with counts of at "
              "least {} protein-coding or miRNA genes",
              files_[0]->path().string(), files_.size() > 1 ? " and the other files" : "",
              config_.min_coding_genes);
}

// Sets the medians of the vocabulary, which is kept with them, and says where they are from.
void TokenizeJob::set_medians() {
  const fs::path kept = work_.output() / "vocab.json";
  json state = work_.state();
  if (state.contains("medians") && fs::exists(kept) && state["vocabulary"] == hash_file(kept)) {
    if (fits_medians(vocabulary_, config_))
      for (const CheckedFile& file : checked_) passes_.advance(file.report.cells);
    vocabulary_ = Vocabulary::load(kept);
    report_.medians = state["medians"];
    return;
  }
  if (fits_medians(vocabulary_, config_)) {
    fit_medians(checked_, vocabulary_, values(), passes_);
    report_.medians = "fitted";
  } else if (config_.medians == "vocabulary" || config_.medians == "auto") {
    check(has_medians(vocabulary_),
          "medians are to be those of the vocabulary, which has none; expected fit or a table");
    report_.medians = "vocabulary";
  } else {
    read_medians(config_.medians, vocabulary_);
    report_.medians = fs::path(config_.medians).filename().string();
  }
  vocabulary_.save(kept);
  work_.save({{"quality", state["quality"]},
              {"medians", report_.medians},
              {"vocabulary", hash_file(kept)}});
}

TokenPlan TokenizeJob::plan() const {
  TokenPlan plan;
  for (const CheckedFile& file : checked_) {
    for (std::size_t cell = 0; cell < file.quality.verdicts.size(); ++cell) {
      if (file.quality.verdicts[cell] != Verdict::kKept) continue;
      plan.lengths.push_back(static_cast<std::int32_t>(
          std::min<std::int64_t>(file.quality.mapped_genes[cell], config_.max_length)));
      plan.species.push_back(file.mapping.species);
      plan.cell_ids.push_back(file.source->cell_ids()[cell]);
    }
  }
  for (const std::string& name : report_.obs) plan.obs.push_back(labels_of(checked_, name));
  return plan;
}

// The shards of an earlier run, if there are any and they hold what it kept account of.
std::unique_ptr<TokenDirectoryWriter> TokenizeJob::take_up(
    const TokenDirectoryWriter::Options& options) {
  const json state = work_.state();
  if (!state.contains("cells")) return nullptr;
  const auto cells = state["cells"].get<std::int64_t>();
  const auto digest = state["digest"].get<std::uint64_t>();
  std::int64_t kept = 0;
  for (const CheckedFile& file : checked_) {
    const auto& verdicts = file.quality.verdicts;
    const auto end = std::clamp<std::int64_t>(cells - file.first_cell, 0, file.report.cells);
    kept += std::count(verdicts.begin(), verdicts.begin() + end, Verdict::kKept);
  }
  try {
    auto writer =
        std::make_unique<TokenDirectoryWriter>(work_.output(), options, plan(), /*made=*/true);
    if (writer->digest_of(kept) == digest) {
      done_cells_ = cells;
      done_digest_ = digest;
      return writer;
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kBadInput) throw;
  }
  log::warning("{}: its shards were changed; writes all tokens again", work_.path().string());
  return nullptr;
}

void TokenizeJob::write_tokens() {
  const TokenDirectoryWriter::Options options{config_.cells_per_shard, config_.seed,
                                              vocabulary_.size()};
  auto writer = take_up(options);
  if (!writer) writer = std::make_unique<TokenDirectoryWriter>(work_.output(), options, plan());
  {
    BackgroundSaves saves(work_, config_.save_cells, [&] { writer->sync(); });
    for (CheckedFile& file : checked_) write_file(file, *writer, saves);
    saves.finish();
  }
  writer->finish(fmt::format("{{\"tokenize\": {}}}", report_.json()));
}

void TokenizeJob::write_file(CheckedFile& file, TokenDirectoryWriter& writer,
                             BackgroundSaves& saves) {
  const CellTokenizer tokenizer(file.mapping, vocabulary_, values());
  const std::int64_t begin =
      std::clamp<std::int64_t>(done_cells_ - file.first_cell, 0, file.report.cells);
  passes_.advance(begin);
  const auto& verdicts = file.quality.verdicts;
  std::int64_t next =
      file.first_kept + std::count(verdicts.begin(), verdicts.begin() + begin, Verdict::kKept);
  json state = work_.state();
  for_each_block(file, begin, config_.save_cells, passes_,
                 [&](const CellBlock& block, const std::vector<std::int64_t>& kept) {
                   done_digest_ += write_block(file, tokenizer, block, kept, next, writer);
                   next += static_cast<std::int64_t>(kept.size());
                   done_cells_ = file.first_cell + block.first_cell + block.cells();
                   state["cells"] = done_cells_;
                   state["digest"] = done_digest_;
                   saves.offer(done_cells_, state);
                 });
}

// Returns the sum of the cells' digests. `first` is the number of the first kept cell in the plan.
std::uint64_t TokenizeJob::write_block(const CheckedFile& file, const CellTokenizer& tokenizer,
                                       const CellBlock& block,
                                       const std::vector<std::int64_t>& kept, std::int64_t first,
                                       TokenDirectoryWriter& writer) const {
  std::atomic<std::uint64_t> digest = 0;
  const auto count = static_cast<std::int64_t>(kept.size());
  parallel_for(count, kCellsPerThread, [&](std::int64_t begin, std::int64_t end) {
    std::uint64_t sum = 0;
    RankedGenes ranked;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = kept[static_cast<std::size_t>(i)];
      const CellView cell = view(block, row);
      const auto number = static_cast<std::size_t>(block.first_cell + row);
      tokenizer.rank(cell.genes, cell.counts, file.quality.totals[number], ranked);
      sum += writer.put(first + i, ranked.tokens, ranked.values);
    }
    digest += sum;
  });
  return digest;
}

}  // namespace

TokenizeReport tokenize(Sources files, Vocabulary& vocabulary, const TokenizeConfig& config,
                        const fs::path& out, bool replace, const TokenizeProgress& progress) {
  check_config(config);
  check(!files.empty(), "tokenize: expected at least one file of cells");
  WorkFolder work(out, replace, job_of(files, vocabulary, config));
  try {
    TokenizeReport report = TokenizeJob(files, vocabulary, config, progress, work).run();
    work.publish();
    return report;
  } catch (const Error& error) {
    // The same inputs and settings would fail again.
    if (error.kind() == ErrorKind::kBadInput || error.kind() == ErrorKind::kInvalidArgument)
      work.discard();
    throw;
  }
}

}  // namespace lodestone
