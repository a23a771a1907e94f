#include "data/vocabulary.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/vocabulary_builder.h"
#include "engine/io/files.h"
#include "tests/data/memory_cells.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using ::testing::ElementsAre;
using testing::expect_error;
using ::testing::Pair;
using testing::TemporaryFolder;

GeneTable table_of(std::vector<Gene> genes) {
  return {"table.tsv", std::move(genes), 0};
}

OrthologTable orthologs_of(std::vector<Ortholog> pairs) {
  return {"orthologs.tsv", std::move(pairs), 0, 0};
}

VocabularySources two_species() {
  return {{table_of({{mouse_id(5), "m5", "", Species::kMouse},
                     {human_id(9), "H9", "miRNA", Species::kHuman},
                     {human_id(2), "", "", Species::kHuman},
                     {mouse_id(1), "m1", "lncRNA", Species::kMouse}}),
           table_of({{human_id(2), "H2", "protein_coding", Species::kHuman},
                     {human_id(9), "other", "lncRNA", Species::kHuman}})},
          orthologs_of({{human_id(9), mouse_id(1)}, {human_id(3), mouse_id(5)}}),
          {}};
}

TEST(VocabularyBuilder, OrderHomologuesAndFirstKnownText) {
  const BuiltVocabulary built = build_vocabulary(two_species());
  const Vocabulary& vocabulary = built.vocabulary;
  ASSERT_EQ(vocabulary.size(), 6);
  EXPECT_EQ(vocabulary.token(2).gene, human_id(2));
  EXPECT_EQ(vocabulary.token(2).symbol, "H2");
  EXPECT_EQ(vocabulary.token(2).biotype, "protein_coding");
  EXPECT_EQ(vocabulary.token(3).symbol, "H9");
  EXPECT_EQ(vocabulary.token(4).gene, mouse_id(1));
  EXPECT_EQ(vocabulary.token(5).gene, mouse_id(5));
  EXPECT_THAT(vocabulary.homologous(), ElementsAre(Pair(3, 4)));
  EXPECT_THAT(vocabulary.homologous_index(), ElementsAre(0, 1, 2, 4, 4, 5));
  EXPECT_EQ(vocabulary.written_id(*vocabulary.find(mouse_id(1))), 3);
  EXPECT_EQ(vocabulary.written_id(*vocabulary.find(mouse_id(5))), 5);
  EXPECT_EQ(vocabulary.written_id(*vocabulary.find(human_id(9))), 3);
  EXPECT_EQ(vocabulary.find("ENSG"), nullptr);
  EXPECT_EQ(built.human, 2);
  EXPECT_EQ(built.mouse, 2);
  EXPECT_EQ(built.homologous, 1);
  EXPECT_EQ(built.without_biotype, 1);
}

TEST(VocabularyBuilder, MeasuredGenesBringTheirHomologues) {
  VocabularySources sources = two_species();
  sources.measured = {
      table_of({{mouse_id(1), "", "", Species::kMouse}, {mouse_id(77), "", "", Species::kMouse}})};
  const BuiltVocabulary built = build_vocabulary(sources);
  EXPECT_EQ(built.human, 1);
  EXPECT_EQ(built.mouse, 1);
  EXPECT_EQ(built.homologous, 1);
  EXPECT_EQ(built.measured_unknown, 1);
  sources.measured = {table_of({{mouse_id(77), "", "", Species::kMouse}})};
  expect_error(ErrorKind::kBadInput, "no gene is left", [&] { build_vocabulary(sources); });
}

TEST(Vocabulary, FileKeepsEverything) {
  const TemporaryFolder folder;
  Vocabulary vocabulary = build_vocabulary(two_species()).vocabulary;
  vocabulary.set_median(4, 1.0 / 3);
  vocabulary.set_median(5, 2);
  vocabulary.set_median(5, {});
  vocabulary.save(folder.path() / "vocab.json");
  const Vocabulary loaded = Vocabulary::load(folder.path() / "vocab.json");
  ASSERT_EQ(loaded.size(), vocabulary.size());
  for (std::int32_t id = kSpecialTokens; id < loaded.size(); ++id) {
    EXPECT_EQ(loaded.token(id).gene, vocabulary.token(id).gene);
    EXPECT_EQ(loaded.token(id).symbol, vocabulary.token(id).symbol);
    EXPECT_EQ(loaded.token(id).species, vocabulary.token(id).species);
    EXPECT_EQ(loaded.token(id).biotype, vocabulary.token(id).biotype);
    EXPECT_EQ(loaded.token(id).median, vocabulary.token(id).median);
  }
  EXPECT_EQ(loaded.homologous(), vocabulary.homologous());
  loaded.save(folder.path() / "again.json");
  EXPECT_EQ(read_text(folder.path() / "vocab.json"), read_text(folder.path() / "again.json"));
}

std::string entry(const std::string& id, const std::string& gene, const std::string& more = "") {
  return fmt::format(R"({{"id": {}, "gene": "{}", "species": "human"{}}})", id, gene, more);
}

std::string listed(const std::vector<std::string>& entries) {
  return fmt::format("[{}]", fmt::join(entries, ", "));
}

TEST(Vocabulary, BadFilesAreRefused) {
  const TemporaryFolder folder;
  const auto refuses = [&](const std::string& sentence, const std::string& tokens,
                           const std::string& homologous = "[]", const std::string& version = "1") {
    const auto path = write_file(folder / "vocab.json",
                                 fmt::format(R"({{"version": {}, "tokens": {}, "homologous": {}}})",
                                             version, tokens, homologous));
    expect_error(ErrorKind::kBadInput, sentence, [&] { Vocabulary::load(path); });
  };
  const std::string one = entry("2", human_id(1));
  refuses("vocab.json: version is 2, expected 1", listed({one}), "[]", "2");
  refuses("holds no gene", "[]");
  refuses("is not a vocabulary", "{");
  refuses("expected 3 and found 4", listed({one, entry("4", human_id(2))}));
  refuses("gene ENSG00000000001 has two tokens, 2 and 3", listed({one, entry("3", human_id(1))}));
  refuses("a token id is 2.5", listed({entry("2.5", human_id(1))}));
  refuses("4294967298", listed({entry("4294967298", human_id(1))}));
  refuses("is not an Ensembl gene id without version of species human",
          listed({entry("2", mouse_id(1))}));
  refuses("is 0, expected a number above 0", listed({entry("2", human_id(1), R"(, "median": 0)")}));
  refuses("names token 7", listed({one}), "[[2, 7]]");
  refuses("expected [human token, mouse token]", listed({one}), "[[2]]");
  refuses("a human and a mouse token", listed({one}), "[[2, 2]]");
  expect_error(ErrorKind::kBadInput, "absent.json",
               [&] { Vocabulary::load(folder / "absent.json"); });
}

TEST(Vocabulary, HomologousPairsAreOneToOne) {
  std::vector<GeneToken> tokens = {{2, human_id(1), "", Species::kHuman, "", {}},
                                   {3, mouse_id(1), "", Species::kMouse, "", {}},
                                   {4, mouse_id(2), "", Species::kMouse, "", {}}};
  expect_error(ErrorKind::kBadInput, "(2, 4) is in another pair too", [&] {
    Vocabulary(tokens, {{2, 3}, {2, 4}}, {});
  });
}

}  // namespace
}  // namespace lodestone
