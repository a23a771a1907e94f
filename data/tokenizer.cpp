#include "data/tokenizer.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>
#include <utility>

#include "data/cell_tokenizer.h"
#include "data/gene_id.h"
#include "data/medians.h"
#include "data/token_directory.h"
#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/core/threads.h"

namespace lodestone {
namespace {

constexpr std::size_t kMostCategories = 1000;
constexpr std::int64_t kCellsPerThread = 32;

// A file after quality control.
struct CheckedFile {
  CellSource* source;
  GeneMapping mapping;
  QualityControl quality;
  FileReport report;
};

// How far all passes are.
struct Passes {
  const TokenizeProgress& report;
  std::int64_t total = 0, done = 0;
  void advance(std::int64_t cells) {
    done += cells;
    if (report) report(done, total);
  }
};

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
}

ValueOptions values_of(const TokenizeConfig& config) {
  return {config.normalise_total, config.target_total, config.max_length};
}

CheckedFile check_file(CellSource& source, const Vocabulary& vocabulary,
                       const TokenizeConfig& config) {
  CheckedFile file{&source, map_genes(source, vocabulary, parse_species(config.species)), {}, {}};
  file.quality = control_quality(source, file.mapping, {config.z_score, config.min_coding_genes});
  file.report = describe(source, file.mapping, file.quality);
  const double mapped = 1 - file.report.counts_lost;
  check_input(mapped >= config.min_mapped,
              "{}: only {:.1f} % of its counts are of genes in the vocabulary, expected at least "
              "{:.1f} %; check its gene ids and species, or accept it with --min-mapped {:.2f}",
              source.path().string(), 100 * mapped, 100 * config.min_mapped,
              std::floor(100 * mapped) / 100);
  log::info("{}: {} of {} cells kept, {} of {} genes in the vocabulary", file.report.file,
            file.report.kept, file.report.cells, file.report.mapped, file.report.genes);
  return file;
}

std::vector<CheckedFile> check_files(std::span<const std::unique_ptr<CellSource>> files,
                                     const Vocabulary& vocabulary, const TokenizeConfig& config,
                                     Passes& passes) {
  std::vector<CheckedFile> checked;
  std::int64_t kept = 0;
  for (const auto& source : files) {
    checked.push_back(check_file(*source, vocabulary, config));
    kept += checked.back().report.kept;
    passes.advance(source->cells());
  }
  check_input(kept > 0,
              "quality control left none of the cells of {}{}; expected cells with counts of at "
              "least {} protein-coding or miRNA genes",
              files[0]->path().string(), files.size() > 1 ? " and the other files" : "",
              config.min_coding_genes);
  return checked;
}

// Calls use(block, its cells that are kept) for every block of a file, in order.
template <class Use>
void for_each_block(CheckedFile& file, Passes& passes, Use&& use) {
  CellSource& source = *file.source;
  for (std::int64_t begin = 0; begin < source.cells(); begin += source.block_cells()) {
    const std::int64_t end = std::min(source.cells(), begin + source.block_cells());
    std::vector<std::int64_t> kept;
    for (std::int64_t cell = begin; cell < end; ++cell)
      if (file.quality.verdicts[static_cast<std::size_t>(cell)] == Verdict::kKept)
        kept.push_back(cell - begin);
    if (!kept.empty()) use(source.read(begin, end), kept);
    passes.advance(end - begin);
  }
}

struct CellView {
  std::span<const std::int32_t> genes;
  std::span<const float> counts;
};

CellView view(const CellBlock& block, std::int64_t cell) {
  const auto begin = static_cast<std::size_t>(block.offsets[static_cast<std::size_t>(cell)]);
  const auto end = static_cast<std::size_t>(block.offsets[static_cast<std::size_t>(cell) + 1]);
  return {std::span(block.genes).subspan(begin, end - begin),
          std::span(block.counts).subspan(begin, end - begin)};
}

void fit_medians(std::vector<CheckedFile>& files, Vocabulary& vocabulary,
                 const ValueOptions& options, Passes& passes) {
  std::vector<ValueCounts> counts(static_cast<std::size_t>(vocabulary.size()));
  std::vector<bool> seen(counts.size());
  for (CheckedFile& file : files) {
    for_each_block(
        file, passes, [&](const CellBlock& block, const std::vector<std::int64_t>& kept) {
          for (const std::int64_t cell : kept) {
            const CellView genes = view(block, cell);
            const double total =
                file.quality.totals[static_cast<std::size_t>(block.first_cell + cell)];
            for (std::size_t i = 0; i < genes.genes.size(); ++i) {
              const auto token = file.mapping.own_token[static_cast<std::size_t>(genes.genes[i])];
              if (token < 0) continue;
              counts[static_cast<std::size_t>(token)].add(
                  normalised_count(genes.counts[i], total, options));
              seen[static_cast<std::size_t>(token)] = true;
            }
          }
        });
  }
  clear_medians(vocabulary);
  for (std::size_t token = 0; token < counts.size(); ++token)
    if (seen[token])
      vocabulary.set_median(static_cast<std::int32_t>(token), counts[token].median());
}

bool fits_medians(const Vocabulary& vocabulary, const TokenizeConfig& config) {
  return config.medians == "fit" || (config.medians == "auto" && !has_medians(vocabulary));
}

// Sets the medians of `vocabulary` and says where they are from.
std::string set_medians(std::vector<CheckedFile>& files, Vocabulary& vocabulary,
                        const TokenizeConfig& config, Passes& passes) {
  if (fits_medians(vocabulary, config)) {
    fit_medians(files, vocabulary, values_of(config), passes);
    return "fitted";
  }
  if (config.medians == "vocabulary" || config.medians == "auto") {
    check(has_medians(vocabulary),
          "medians are to be those of the vocabulary, which has none; expected fit or a table");
    return "vocabulary";
  }
  read_medians(config.medians, vocabulary);
  return std::filesystem::path(config.medians).filename().string();
}

const ObsColumn* find_column(const CellSource& source, const std::string& name) {
  for (const ObsColumn& column : source.obs())
    if (column.name == name) return &column;
  return nullptr;
}

std::vector<std::string> obs_columns(const std::vector<CheckedFile>& files,
                                     const TokenizeConfig& config) {
  const bool automatic = config.obs == std::vector<std::string>{"auto"};
  std::vector<std::string> names = {"dataset", "species"};
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  std::vector<std::string> present;
  for (const CheckedFile& file : files) {
    for (const ObsColumn& column : file.source->obs()) {
      present.push_back(column.name);
      if (automatic && !column.numeric && column.categories.size() <= kMostCategories)
        add(column.name);
    }
  }
  if (automatic) return names;
  for (const std::string& name : config.obs) {
    add(name);
    check(name == "dataset" || name == "species" ||
              std::find(present.begin(), present.end(), name) != present.end(),
          "obs: no file has a column '{}', the first has {}", name,
          fmt::join(present.begin(),
                    present.begin() + static_cast<std::ptrdiff_t>(files[0].source->obs().size()),
                    ", "));
  }
  return names;
}

// The labels of a file's cells, one function call per cell and column.
class Labels {
 public:
  Labels(const CheckedFile& file, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (name == "species") {
        columns_.push_back({nullptr, file.report.species});
      } else {
        columns_.push_back({find_column(*file.source, name),
                            name == "dataset" ? file.source->path().stem().string() : ""});
      }
    }
  }
  std::vector<std::string> operator()(std::int64_t cell) const {
    std::vector<std::string> labels;
    for (const auto& [column, otherwise] : columns_) {
      if (column == nullptr) {
        labels.push_back(otherwise);
        continue;
      }
      const std::int32_t code = column->codes[static_cast<std::size_t>(cell)];
      labels.push_back(code < 0 ? "" : column->categories[static_cast<std::size_t>(code)]);
    }
    return labels;
  }

 private:
  std::vector<std::pair<const ObsColumn*, std::string>> columns_;
};

void write_file(CheckedFile& file, const Vocabulary& vocabulary, const ValueOptions& options,
                const std::vector<std::string>& obs, TokenDirectoryWriter& writer, Passes& passes) {
  const CellTokenizer tokenizer(file.mapping, vocabulary, options);
  const Labels labels(file, obs);
  std::vector<std::int64_t> lengths;
  for_each_block(file, passes, [&](const CellBlock& block, const std::vector<std::int64_t>& kept) {
    std::vector<RankedGenes> ranked(kept.size());
    const auto n = static_cast<std::int64_t>(kept.size());
    parallel_for(n, kCellsPerThread, [&](std::int64_t first, std::int64_t last) {
      for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
        const CellView cell = view(block, kept[i]);
        const auto index = static_cast<std::size_t>(block.first_cell + kept[i]);
        ranked[i] = tokenizer(cell.genes, cell.counts, file.quality.totals[index]);
      }
    });
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const std::int64_t cell = block.first_cell + kept[i];
      lengths.push_back(static_cast<std::int64_t>(ranked[i].tokens.size()));
      file.report.truncated += ranked[i].truncated;
      writer.append({std::move(ranked[i].tokens), std::move(ranked[i].values), file.mapping.species,
                     file.source->cell_ids()[static_cast<std::size_t>(cell)], labels(cell)});
    }
  });
  describe_lengths(file.report, std::move(lengths));
}

}  // namespace

TokenizeReport tokenize(std::span<const std::unique_ptr<CellSource>> files, Vocabulary& vocabulary,
                        const TokenizeConfig& config, const std::filesystem::path& out,
                        bool replace, const TokenizeProgress& progress) {
  check_config(config);
  check(!files.empty(), "tokenize: expected at least one file of cells");
  check(replace || !std::filesystem::exists(out),
        "{}: exists already; choose another directory or replace it with --replace", out.string());
  Passes passes{progress};
  for (const auto& source : files)
    passes.total += source->cells() * (fits_medians(vocabulary, config) ? 3 : 2);
  TokenizeReport report;
  std::vector<CheckedFile> checked = check_files(files, vocabulary, config, passes);
  report.medians = set_medians(checked, vocabulary, config, passes);
  report.genes_with_median =
      std::count_if(vocabulary.tokens().begin(), vocabulary.tokens().end(),
                    [](const GeneToken& token) { return token.median.has_value(); });
  report.target_total = config.normalise_total ? config.target_total : 0;
  report.obs = obs_columns(checked, config);
  TokenDirectoryWriter writer(
      out, {config.cells_per_shard, config.seed, vocabulary.size(), report.obs, replace});
  for (CheckedFile& file : checked) {
    write_file(file, vocabulary, values_of(config), report.obs, writer, passes);
    report.files.push_back(file.report);
  }
  writer.finish(fmt::format("{{\"tokenize\": {}}}", report.json()));
  vocabulary.save(out / "vocab.json");
  return report;
}

}  // namespace lodestone
