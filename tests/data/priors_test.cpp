#include "data/priors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "engine/io/hdf5.h"
#include "tests/data/memory_cells.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using ::testing::ElementsAre;
using testing::expect_error;
using testing::TemporaryFolder;

// Tokens 2, 3 human (TP53, H19), 4, 5 mouse (Trp53, H19).
Vocabulary small_vocabulary() {
  return {{{2, human_id(1), "TP53", Species::kHuman, "", {}},
           {3, human_id(2), "H19", Species::kHuman, "", {}},
           {4, mouse_id(1), "Trp53", Species::kMouse, "", {}},
           {5, mouse_id(2), "H19", Species::kMouse, "", {}}},
          {{2, 4}, {3, 5}},
          {}};
}

std::string npy(const std::string& header, const std::vector<double>& values, bool single) {
  std::string text = "\x93NUMPY\x01";
  text += '\0';
  text += static_cast<char>(header.size());
  text += '\0';
  text += header;
  for (const double value : values) {
    const auto rounded = static_cast<float>(value);
    text += single ? std::string(reinterpret_cast<const char*>(&rounded), sizeof(rounded))
                   : std::string(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return text;
}

TEST(GeneVectors, FromATable) {
  const TemporaryFolder folder;
  const GeneVectors vectors = read_gene_vectors(
      write_file(folder / "v.tsv", "symbol\tv0\tv1\nTP53\t1\t-2.5\nH19\t0\t1e-3\n"));
  EXPECT_THAT(vectors.genes, ElementsAre("TP53", "H19"));
  EXPECT_EQ(vectors.width, 2);
  EXPECT_THAT(vectors.values, ElementsAre(1, -2.5f, 0, 1e-3f));
  EXPECT_EQ(vectors.source, "v.tsv");
}

TEST(GeneVectors, FromNpy) {
  const TemporaryFolder folder;
  const auto genes = write_file(folder / "v.genes.txt", "TP53\nH19\n");
  for (const bool single : {true, false}) {
    const std::string type = single ? "<f4" : "<f8";
    const auto path =
        write_file(folder / "v.npy",
                   npy("{'descr': '" + type + "', 'fortran_order': False, 'shape': (2, 3), }\n",
                       {1, 2, 3, 4, 5, 6}, single));
    const GeneVectors vectors = read_gene_vectors(path, genes);
    EXPECT_EQ(vectors.width, 3);
    EXPECT_THAT(vectors.values, ElementsAre(1, 2, 3, 4, 5, 6));
  }
}

TEST(GeneVectors, FromHdf5) {
  const TemporaryFolder folder;
  {
    hdf5::File file = hdf5::File::create(folder / "v.h5");
    file.create_texts("genes", {"TP53", "H19"});
    file.create_numbers<double>("vectors", {2, 2}, std::vector<double>{1, 2, 3, 4});
    file.create_numbers<double>("other", {4}, std::vector<double>{1, 2, 3, 4});
  }
  const GeneVectors vectors = read_gene_vectors(folder / "v.h5");
  EXPECT_THAT(vectors.genes, ElementsAre("TP53", "H19"));
  EXPECT_THAT(vectors.values, ElementsAre(1, 2, 3, 4));
}

TEST(GeneVectors, BadFilesAreRefused) {
  const TemporaryFolder folder;
  const auto refuses = [&](const std::string& sentence, const std::string& name,
                           const std::string& text) {
    const auto path = write_file(folder / name, text);
    const auto genes = write_file(folder / "genes.txt", "TP53\nH19\n");
    expect_error(ErrorKind::kBadInput, sentence, [&] { read_gene_vectors(path, genes); });
  };
  const auto header = [](const std::string& type, const std::string& shape) {
    return "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  };
  refuses("v.tsv line 3: has 2 tab-separated fields, the header has 3", "v.tsv",
          "g\ta\tb\nA\t1\t2\nB\t1\n");
  refuses("line 2: column a is 'nan', expected a finite number", "v.tsv", "g\ta\nA\tnan\n");
  refuses("line 2: column a is 'x'", "v.tsv", "g\ta\nA\tx\n");
  refuses("has 0 genes", "v.tsv", "g\ta\n");
  refuses("vectors of 0 numbers", "v.tsv", "g\nA\n");
  refuses("at place 0, expected finite", "v.tsv", "g\ta\nA\t1e300\n");
  refuses("is not an npy file", "v.npy", "hello, I am no array");
  refuses("expected '<f4' or '<f8'", "v.npy", npy(header("<i8", "(2, 1)"), {1, 2}, false));
  refuses("a shape of two extents", "v.npy", npy(header("<f4", "(2,)"), {1, 2}, true));
  refuses("needs 16 bytes of numbers, the file has 8", "v.npy",
          npy(header("<f4", "(2, 2)"), {1, 2}, true));
  refuses("genes.txt: has 2 lines, expected one per row", "v.npy",
          npy(header("<f4", "(3, 1)"), {1, 2, 3}, true));
  refuses("the vector of H19 has nan at place 0", "v.npy",
          npy(header("<f4", "(2, 1)"), {1, std::numeric_limits<double>::quiet_NaN()}, true));
  refuses("ends within its npy header", "v.npy",
          npy(header("<f4", "(2, 1)"), {}, true).substr(0, 40));
}

TEST(Priors, RowsBelongToTheOwnGene) {
  const Vocabulary vocabulary = small_vocabulary();
  const GeneVectors vectors{
      "v.tsv", {human_id(1) + ".8", "Trp53", "H19", "unheard"}, 2, {1, 2, 3, 4, 5, 6, 7, 8}};
  const PriorImport all = import_prior("promoter", vectors, vocabulary, {}, 3);
  EXPECT_EQ(all.mapped, 2);
  EXPECT_EQ(all.unknown, 1);
  EXPECT_EQ(all.ambiguous, 1) << "H19 is a gene of both species";
  EXPECT_EQ(all.table.values.shape(), Shape({6, 3}));
  EXPECT_THAT(all.table.values.host<float>(),
              ElementsAre(0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0));
  EXPECT_THAT(all.table.present.host<std::uint8_t>(), ElementsAre(0, 0, 1, 0, 1, 0));
  const PriorImport human = import_prior("promoter", vectors, vocabulary, Species::kHuman, 0);
  EXPECT_EQ(human.mapped, 2);
  EXPECT_EQ(human.table.present.host<std::uint8_t>()[3], 1);
}

TEST(Priors, BadImportsAreRefused) {
  const Vocabulary vocabulary = small_vocabulary();
  const GeneVectors twice{"v.tsv", {human_id(1), "TP53"}, 1, {1, 2}};
  expect_error(ErrorKind::kBadInput, "v.tsv: rows ENSG00000000001 and TP53 are the same gene",
               [&] { import_prior("co_exp", twice, vocabulary, {}, 0); });
  const GeneVectors unknown{"v.tsv", {"a"}, 1, {1}};
  expect_error(ErrorKind::kBadInput, "none of its 1 genes is in the vocabulary",
               [&] { import_prior("co_exp", unknown, vocabulary, {}, 0); });
  const GeneVectors wide{"v.tsv", {"TP53"}, 2, {1, 2}};
  expect_error(ErrorKind::kInvalidArgument, "width 1 is less than that of v.tsv, 2",
               [&] { import_prior("co_exp", wide, vocabulary, {}, 1); });
  expect_error(ErrorKind::kInvalidArgument, "prior 'coexp' is unknown",
               [&] { import_prior("coexp", wide, vocabulary, {}, 0); });
}

TEST(Priors, FileKeepsEverything) {
  const TemporaryFolder folder;
  const Vocabulary vocabulary = small_vocabulary();
  std::vector<PriorTable> tables;
  for (const char* name : {"peca_grn", "promoter"})
    tables.push_back(import_prior(name, {"v.tsv", {"TP53"}, 2, {1, 2}}, vocabulary, {}, 0).table);
  save_priors(folder / "priors.h5", tables);
  const std::vector<PriorTable> loaded = load_priors(folder / "priors.h5");
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded[0].name, "promoter");
  EXPECT_EQ(loaded[1].name, "peca_grn");
  EXPECT_EQ(loaded[0].source, "v.tsv");
  EXPECT_EQ(loaded[0].values.shape(), Shape({6, 2}));
  EXPECT_EQ(loaded[0].values.host<float>()[5], 2);
  EXPECT_THAT(loaded[0].present.host<std::uint8_t>(), ElementsAre(0, 0, 1, 0, 0, 0));
}

TEST(Priors, BadFilesAreRefused) {
  const TemporaryFolder folder;
  const auto refuses = [&](const std::string& sentence, auto&& fill) {
    {
      hdf5::File file = hdf5::File::create(folder / "priors.h5");
      fill(file);
    }
    expect_error(ErrorKind::kBadInput, sentence, [&] { load_priors(folder / "priors.h5"); });
  };
  const auto add = [](hdf5::File& file, const std::string& name, std::int64_t width, float value,
                      std::int64_t present = 3) {
    const std::vector<float> values(static_cast<std::size_t>(3 * width), value);
    file.create_numbers<float>(name, {3, width}, values);
    file.create_numbers<std::uint8_t>(
        name + "_present", {present},
        std::vector<std::uint8_t>(static_cast<std::size_t>(present), 1));
  };
  refuses("holds no prior table", [](hdf5::File&) {});
  refuses("holds 'colour'", [&](hdf5::File& file) { add(file, "colour", 2, 1); });
  refuses("promoter_present has 2 elements, expected 3",
          [&](hdf5::File& file) { add(file, "promoter", 2, 1, 2); });
  refuses("promoter of token 0 has nan", [&](hdf5::File& file) {
    add(file, "promoter", 2, std::numeric_limits<float>::quiet_NaN());
  });
  refuses("promoter_present must hold 0 and 1", [&](hdf5::File& file) {
    file.create_numbers<float>("promoter", {1, 1}, std::vector<float>{1});
    file.create_numbers<std::uint8_t>("promoter_present", {1}, std::vector<std::uint8_t>{2});
  });
  refuses("promoter has shape [3, 2] and co_exp has [3, 4]", [&](hdf5::File& file) {
    add(file, "promoter", 2, 1);
    add(file, "co_exp", 4, 1);
  });
}

}  // namespace
}  // namespace lodestone
