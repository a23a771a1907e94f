#include "data/h5ad_writer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/io/files.h"
#include "engine/io/hdf5.h"

namespace lodestone {
namespace {

using hdf5::Dataset;
using hdf5::File;
using hdf5::Group;

constexpr std::int64_t kChunkEntries = 65536;
constexpr int kDeflateLevel = 4;  // what h5py takes for "gzip"

void set_encoding(hdf5::Object& object, const char* type, const char* version) {
  object.set_text_attribute("encoding-type", type);
  object.set_text_attribute("encoding-version", version);
}

Group create_mapping(Group& parent, const std::string& name) {
  Group mapping = parent.create_group(name);
  set_encoding(mapping, "dict", "0.1.0");
  return mapping;
}

void check_name(const std::string& name, const char* what) {
  check(!name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos,
        "'{}' cannot be the name of {}: it must not be empty or hold '/'", name, what);
}

void write_texts(Group& group, const std::string& name, const std::vector<std::string>& values) {
  Dataset dataset = group.create_texts(name, values);
  set_encoding(dataset, "string-array", "0.2.0");
}

Group create_frame(Group& root, const std::string& name, const std::vector<std::string>& index,
                   const std::vector<std::string>& columns) {
  std::unordered_set<std::string_view> unique = {"_index"};
  for (const std::string& column : columns) {
    check_name(column, "a column");
    check(unique.insert(column).second, "the column '{}' of {} occurs twice or is reserved", column,
          name);
  }
  Group frame = root.create_group(name);
  set_encoding(frame, "dataframe", "0.2.0");
  frame.set_text_attribute("_index", "_index");
  frame.set_texts_attribute("column-order", columns);
  write_texts(frame, "_index", index);
  return frame;
}

// The smallest signed integers that hold the codes, as pandas stores them.
template <class T>
void write_codes(Group& group, const std::vector<std::int32_t>& codes) {
  std::vector<T> narrow;
  narrow.reserve(codes.size());
  for (const std::int32_t code : codes) narrow.push_back(static_cast<T>(code));
  Dataset dataset =
      group.create_numbers<T>("codes", {static_cast<std::int64_t>(codes.size())}, narrow);
  set_encoding(dataset, "array", "0.2.0");
}

void write_categorical(Group& frame, const ObsColumn& column, std::int64_t rows) {
  const auto categories = static_cast<std::int64_t>(column.categories.size());
  check(static_cast<std::int64_t>(column.codes.size()) == rows,
        "obs column '{}' has {} entries for {} cells", column.name, column.codes.size(), rows);
  for (const std::int32_t code : column.codes)
    check(code >= -1 && code < categories, "obs column '{}': code {} is outside [-1, {})",
          column.name, code, categories);
  const std::unordered_set<std::string_view> unique(column.categories.begin(),
                                                    column.categories.end());
  check(unique.size() == column.categories.size(), "obs column '{}' has a category twice",
        column.name);
  Group group = frame.create_group(column.name);
  set_encoding(group, "categorical", "0.2.0");
  group.set_bool_attribute("ordered", false);
  write_texts(group, "categories", column.categories);
  if (categories <= std::numeric_limits<std::int8_t>::max())
    write_codes<std::int8_t>(group, column.codes);
  else if (categories <= std::numeric_limits<std::int16_t>::max())
    write_codes<std::int16_t>(group, column.codes);
  else
    write_codes<std::int32_t>(group, column.codes);
}

// The given columns, and what the records know beyond them.
std::vector<VarColumn> columns_of(const std::vector<GeneRecord>& genes,
                                  const std::vector<VarColumn>& given) {
  std::vector<VarColumn> columns = given;
  const auto add = [&](const char* name, std::string GeneRecord::*field) {
    const bool is_given = std::any_of(given.begin(), given.end(),
                                      [&](const VarColumn& column) { return column.name == name; });
    const bool is_known = std::any_of(
        genes.begin(), genes.end(), [&](const GeneRecord& gene) { return !(gene.*field).empty(); });
    if (is_given || !is_known) return;
    VarColumn& column = columns.emplace_back(VarColumn{name, {}});
    for (const GeneRecord& gene : genes) column.values.push_back(gene.*field);
  };
  add("gene_symbol", &GeneRecord::symbol);
  add("biotype", &GeneRecord::biotype);
  return columns;
}

void write_var(File& file, const std::vector<GeneRecord>& genes,
               const std::vector<VarColumn>& given) {
  const std::vector<VarColumn> columns = columns_of(genes, given);
  std::vector<std::string> index, names;
  for (const GeneRecord& gene : genes) index.push_back(gene.id);
  for (const VarColumn& column : columns) names.push_back(column.name);
  Group var = create_frame(file, "var", index, names);
  for (const VarColumn& column : columns) {
    check(column.values.size() == genes.size(), "var column '{}' has {} entries for {} genes",
          column.name, column.values.size(), genes.size());
    write_texts(var, column.name, column.values);
  }
}

// A member of a mapping, made or replaced.
Group open_mapping(File& file, const std::string& mapping, const std::string& member) {
  Group group = file.has(mapping) ? file.group(mapping) : create_mapping(file, mapping);
  if (group.has(member)) group.remove(member);
  return group;
}

// One number per entry of the matrix: contiguous when their count is known, else compressed.
Dataset create_entries(Group& matrix, const char* name, std::optional<std::int64_t> count) {
  if (count) return matrix.create_contiguous<std::int32_t>(name, {*count});
  return matrix.create_chunked<std::int32_t>(name, {0}, kChunkEntries, kDeflateLevel);
}

// The file to which cells are appended, open.
struct CellFile {
  CellFile(const std::filesystem::path& path, const std::vector<GeneRecord>& genes,
           const std::vector<VarColumn>& columns, std::optional<std::int64_t> entries)
      : file(File::create(path)),
        matrix(file.create_group("X")),
        data(create_entries(matrix, "data", entries)),
        indices(create_entries(matrix, "indices", entries)) {
    set_encoding(file, "anndata", "0.1.0");
    for (const char* name : {"layers", "obsm", "obsp", "uns", "varm", "varp"})
      create_mapping(file, name);
    write_var(file, genes, columns);
    set_encoding(matrix, "csr_matrix", "0.1.0");
  }

  File file;
  Group matrix;
  Dataset data, indices;
};

// The file that is written to until it is published; what is left of it goes with its owner.
struct StreamedFile {
  explicit StreamedFile(std::filesystem::path where) : path(std::move(where)) {}
  ~StreamedFile() {
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) log::warning("{}: cannot remove: {}", path.string(), error.message());
  }
  StreamedFile(const StreamedFile&) = delete;
  StreamedFile& operator=(const StreamedFile&) = delete;

  std::filesystem::path path;
};

}  // namespace

struct H5adWriter::Impl {
  Impl(const std::filesystem::path& path, const std::vector<GeneRecord>& genes_given,
       const std::vector<VarColumn>& var, std::optional<std::int64_t> entries_given)
      : target(path),
        streamed(staging_path(path)),
        genes(genes_given.size()),
        entries(entries_given),
        open(std::make_unique<CellFile>(streamed.path, genes_given, var, entries)) {}

  // `values` are entries number `from` and following.
  void write(Dataset& dataset, std::int64_t from, std::span<const std::int32_t> values) const {
    if (entries)
      dataset.write_rows(from, values);
    else
      dataset.append(values);
  }

  std::filesystem::path target;
  StreamedFile streamed;
  std::size_t genes;
  std::optional<std::int64_t> entries;  // of the whole matrix, when it is not compressed
  std::unique_ptr<CellFile> open;       // until finish()
  std::vector<std::int64_t> offsets = {0};
};

H5adWriter::H5adWriter(const std::filesystem::path& path, const std::vector<GeneRecord>& genes,
                       const std::vector<VarColumn>& var, std::optional<std::int64_t> entries)
    : impl_(std::make_unique<Impl>(path, genes, var, entries)) {}

H5adWriter::~H5adWriter() = default;

void H5adWriter::append(const CellBlock& block) {
  check(impl_->open != nullptr, "{}: cells were appended after finish()", impl_->target.string());
  const auto appended = static_cast<std::int64_t>(impl_->offsets.size()) - 1;
  check(block.first_cell == appended, "{}: cell {} is appended where cell {} is due",
        impl_->target.string(), block.first_cell, appended);
  check(block.cells() >= 0 && block.genes.size() == block.counts.size() &&
            block.offsets.back() == static_cast<std::int64_t>(block.genes.size()),
        "{}: a block's offsets, genes and counts disagree", impl_->target.string());
  const std::string target = impl_->target.string();
  std::vector<std::int32_t> counts;
  counts.reserve(block.counts.size());
  for (std::size_t i = 0; i < block.counts.size(); ++i) {
    const float count = block.counts[i];
    // 2^31 is the first float that int32 does not hold.
    check(count >= 0 && count < 2147483648.0F && count == std::floor(count),
          "{}: the value {} is not a 32-bit count", target, count);
    check(block.genes[i] >= 0 && static_cast<std::size_t>(block.genes[i]) < impl_->genes,
          "{}: gene {} is outside [0, {})", target, block.genes[i], impl_->genes);
    counts.push_back(static_cast<std::int32_t>(count));
  }
  const std::int64_t entries = impl_->offsets.back();
  impl_->write(impl_->open->data, entries, counts);
  impl_->write(impl_->open->indices, entries, block.genes);
  for (std::size_t cell = 1; cell < block.offsets.size(); ++cell)
    impl_->offsets.push_back(entries + block.offsets[cell]);
}

void H5adWriter::finish(const std::vector<std::string>& cell_ids,
                        const std::vector<ObsColumn>& obs) {
  check(impl_->open != nullptr, "{}: finish() was called twice", impl_->target.string());
  const auto cells = static_cast<std::int64_t>(impl_->offsets.size()) - 1;
  check(static_cast<std::int64_t>(cell_ids.size()) == cells, "{}: {} cell ids for {} cells",
        impl_->target.string(), cell_ids.size(), cells);
  check(!impl_->entries || *impl_->entries == impl_->offsets.back(),
        "{}: {} entries were announced and {} appended", impl_->target.string(),
        impl_->entries.value_or(0), impl_->offsets.back());
  std::vector<std::string> columns;
  columns.reserve(obs.size());
  for (const ObsColumn& column : obs) columns.push_back(column.name);
  {
    const std::unique_ptr<CellFile> open = std::move(impl_->open);
    Dataset indptr =
        open->matrix.create_chunked<std::int64_t>("indptr", {0}, kChunkEntries, kDeflateLevel);
    indptr.append<std::int64_t>(impl_->offsets);
    open->matrix.set_numbers_attribute<std::int64_t>(
        "shape", {cells, static_cast<std::int64_t>(impl_->genes)});
    Group frame = create_frame(open->file, "obs", cell_ids, columns);
    for (const ObsColumn& column : obs) write_categorical(frame, column, cells);
    open->file.flush();
  }
  publish_file(impl_->target, [&](const std::filesystem::path& staged) {
    std::filesystem::rename(impl_->streamed.path, staged);
  });
}

void copy_h5ad_with_obsm(const std::filesystem::path& input, const std::filesystem::path& output,
                         const std::string& name, std::span<const float> rows, std::int64_t columns,
                         const std::string& uns_json) {
  check_name(name, "an embedding");
  {
    const File source = File::open(input);
    const Group obs = source.group("obs");
    const std::int64_t cells = obs.dataset(obs.text_attribute("_index")).rows();
    check(columns > 0 && static_cast<std::int64_t>(rows.size()) == cells * columns,
          "{}: {} numbers in rows of {} do not fit {} cells", input.string(), rows.size(), columns,
          cells);
  }
  publish_file(output, [&](const std::filesystem::path& staged) {
    std::filesystem::copy_file(input, staged);
    // The input may be read-only, and its permissions came along.
    std::filesystem::permissions(staged, std::filesystem::perms::owner_write,
                                 std::filesystem::perm_options::add);
    File file = File::edit(staged);
    Group obsm = open_mapping(file, "obsm", name);
    Dataset matrix = obsm.create_numbers<float>(
        name, {static_cast<std::int64_t>(rows.size()) / columns, columns}, rows);
    set_encoding(matrix, "array", "0.2.0");
    Group uns = open_mapping(file, "uns", name);
    Dataset text = uns.create_text(name, uns_json);
    set_encoding(text, "string", "0.2.0");
    file.flush();
  });
}

}  // namespace lodestone
