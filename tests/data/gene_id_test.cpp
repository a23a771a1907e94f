#include "data/gene_id.h"

#include <gtest/gtest.h>

namespace lodestone {
namespace {

TEST(GeneId, SpeciesAndStem) {
  const auto human = parse_gene_id("ENSG00000139618");
  ASSERT_TRUE(human);
  EXPECT_EQ(human->species, Species::kHuman);
  EXPECT_EQ(human->stem, "ENSG00000139618");
  const auto mouse = parse_gene_id("ENSMUSG00000041147");
  ASSERT_TRUE(mouse);
  EXPECT_EQ(mouse->species, Species::kMouse);
}

TEST(GeneId, VersionIsStrippedOnlyFromAnId) {
  EXPECT_EQ(parse_gene_id("ENSG00000139618.17")->stem, "ENSG00000139618");
  EXPECT_EQ(parse_gene_id("ENSMUSG00000041147.5")->stem, "ENSMUSG00000041147");
  for (const char* text :
       {"", "ENSA", "ENSG", "ENSG0000013961", "ENSG000001396180", "ENSG00000139618.",
        "ENSG00000139618.1a", "ENSG00000139618_PAR_Y", " ENSG00000139618", "ensg00000139618",
        "ENST00000139618", "ENSRNOG00000001111", "RP11-34P13.7", "ENSG0000013961x"})
    EXPECT_FALSE(parse_gene_id(text)) << text;
}

TEST(GeneId, SpeciesNames) {
  EXPECT_EQ(parse_species("Homo sapiens"), Species::kHuman);
  EXPECT_EQ(parse_species("Mus_musculus"), Species::kMouse);
  EXPECT_EQ(parse_species("NCBITaxon:10090"), Species::kMouse);
  EXPECT_FALSE(parse_species("rat"));
  EXPECT_FALSE(parse_species(""));
}

TEST(GeneId, MitochondrialPrefix) {
  EXPECT_TRUE(is_mitochondrial("MT-ND1"));
  EXPECT_TRUE(is_mitochondrial("mt-Nd1"));
  EXPECT_FALSE(is_mitochondrial("MTOR"));
  EXPECT_FALSE(is_mitochondrial("Mt1"));
}

}  // namespace
}  // namespace lodestone
