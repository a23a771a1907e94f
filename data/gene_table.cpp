#include "data/gene_table.h"

#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "data/table_file.h"
#include "engine/core/check.h"

namespace lodestone {
namespace {

bool flag(const TableFile& table, int column) {
  const std::string& text = table.field(column);
  if (text == "1" || text == "True" || text == "TRUE" || text == "true") return true;
  check_input(text == "0" || text == "False" || text == "FALSE" || text == "false",
              "{}: column {} is '{}', expected 0 or 1", table.where(),
              table.header()[static_cast<std::size_t>(column)], text);
  return false;
}

struct GeneColumns {
  explicit GeneColumns(const TableFile& table)
      : id(table.column("Ensembl ids", {"ensembl_id", "ensembl_gene_id", "gene_id", "ensembl",
                                        "feature_id", "gene_stable_id", "Gene stable ID"})),
        symbol(table.find_column(
            {"symbol", "gene_symbol", "gene_name", "feature_name", "name", "Gene name"})),
        biotype(table.find_column(
            {"biotype", "gene_biotype", "gene_type", "feature_type", "Gene type"})),
        coding(table.find_column({"is_protein_coding", "protein_coding"})),
        mirna(table.find_column({"is_mirna", "mirna"})) {}

  std::string biotype_of(const TableFile& table) const {
    if (biotype >= 0) return table.field(biotype);
    if (coding >= 0 && flag(table, coding)) return "protein_coding";
    if (mirna >= 0 && flag(table, mirna)) return "miRNA";
    return coding >= 0 && mirna >= 0 ? "other" : "";
  }

  int id, symbol, biotype, coding, mirna;
};

struct OrthologRow {
  Ortholog pair;
  bool claimed = false;  // one-to-one, says the table
  std::int64_t line = 0;
};

bool claims_one_to_one(const TableFile& table, int column) {
  const std::string& text = table.field(column);
  if (text == "ortholog_one2one") return true;
  if (text.starts_with("ortholog_")) return false;
  return flag(table, column);
}

// The rows that have both ids; the others are counted.
std::vector<OrthologRow> ortholog_rows(TableFile& table, int one_to_one, std::int64_t& skipped) {
  const int human = table.column("human Ensembl ids", {"human_ensembl_id", "human_id", "human_gene",
                                                       "human", "ensembl_human"});
  const int mouse = table.column("mouse Ensembl ids", {"mouse_ensembl_id", "mouse_id", "mouse_gene",
                                                       "mouse", "ensembl_mouse"});
  std::vector<OrthologRow> rows;
  while (table.next()) {
    const auto human_id = parse_gene_id(table.field(human));
    const auto mouse_id = parse_gene_id(table.field(mouse));
    const bool usable = human_id && human_id->species == Species::kHuman && mouse_id &&
                        mouse_id->species == Species::kMouse;
    if (usable) {
      rows.push_back({{std::string(human_id->stem), std::string(mouse_id->stem)},
                      one_to_one >= 0 && claims_one_to_one(table, one_to_one),
                      table.line()});
    } else {
      ++skipped;
    }
  }
  return rows;
}

}  // namespace

GeneTable read_gene_table(const std::filesystem::path& path) {
  TableFile table(path);
  const GeneColumns columns(table);
  GeneTable result{path.filename().string(), {}, 0};
  std::unordered_map<std::string, std::int64_t> line_of_id;
  while (table.next()) {
    const auto id = parse_gene_id(table.field(columns.id));
    if (!id) {
      ++result.skipped;
      continue;
    }
    const auto [first, is_new] = line_of_id.emplace(id->stem, table.line());
    check_input(is_new, "{}: gene {} stands on line {} already; keep one of the two rows",
                table.where(), first->first, first->second);
    result.genes.push_back({std::string(id->stem),
                            columns.symbol >= 0 ? table.field(columns.symbol) : "",
                            columns.biotype_of(table), id->species});
  }
  check_input(
      !result.genes.empty(),
      "{}: no row has a human or mouse Ensembl gene id such as ENSG00000139618 in column {}",
      path.string(), table.header()[static_cast<std::size_t>(columns.id)]);
  return result;
}

std::vector<std::optional<GeneId>> gene_ids_of(const CellSource& source) {
  std::vector<std::optional<GeneId>> ids;
  std::unordered_map<std::string_view, std::string_view> record_of_id;
  for (const GeneRecord& record : source.genes()) {
    const auto& id = ids.emplace_back(parse_gene_id(record.id));
    if (!id) continue;
    const auto [first, is_new] = record_of_id.emplace(id->stem, record.id);
    check_input(is_new, "{}: columns {} and {} are the same gene; merge or drop one of the two",
                source.path().string(), first->second, record.id);
  }
  return ids;
}

GeneTable genes_of(const CellSource& source) {
  GeneTable result{source.path().filename().string(), {}, 0};
  const auto ids = gene_ids_of(source);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const GeneRecord& record = source.genes()[i];
    if (const std::optional<GeneId>& id = ids[i]) {
      result.genes.push_back({std::string(id->stem), record.symbol, record.biotype, id->species});
    } else {
      ++result.skipped;
    }
  }
  return result;
}

OrthologTable read_ortholog_table(const std::filesystem::path& path) {
  TableFile table(path);
  const int flag_column =
      table.find_column({"one2one", "one_to_one", "is_one2one", "orthology_type", "homology_type"});
  OrthologTable result{path.filename().string(), {}, 0, 0};
  const std::vector<OrthologRow> rows = ortholog_rows(table, flag_column, result.skipped);
  std::unordered_map<std::string, std::set<std::string>> partners;
  for (const OrthologRow& row : rows) {
    partners[row.pair.human].insert(row.pair.mouse);
    partners[row.pair.mouse].insert(row.pair.human);
  }
  std::unordered_map<std::string, std::int64_t> line_of_id;
  for (const OrthologRow& row : rows) {
    const bool single =
        partners[row.pair.human].size() == 1 && partners[row.pair.mouse].size() == 1;
    if (flag_column >= 0 ? !row.claimed : !single || line_of_id.contains(row.pair.human)) {
      ++result.not_one_to_one;
      continue;
    }
    for (const std::string& id : {row.pair.human, row.pair.mouse}) {
      const auto [first, is_new] = line_of_id.emplace(id, row.line);
      check_input(is_new, "{} line {}: gene {} has a one-to-one ortholog on line {} already",
                  path.string(), row.line, id, first->second);
    }
    result.one_to_one.push_back(row.pair);
  }
  return result;
}

}  // namespace lodestone
