#pragma once
#include <optional>
#include <string_view>

#include "model/batch.h"

namespace lodestone {

struct GeneId {
  Species species = Species::kHuman;
  std::string_view stem;  // without ".version"; a part of the text that was parsed
};

// An Ensembl gene id of human or mouse: ENSG or ENSMUSG, 11 digits, optionally "." and a version of
// digits, and nothing else (symbols such as ENSA are no ids). Nothing for any other text.
std::optional<GeneId> parse_gene_id(std::string_view text);

// "human" or "mouse".
std::string_view name_of(Species species);

// From the words that data sets use: human, homo sapiens, NCBITaxon:9606, mouse, mus musculus, ...,
// in any case. Nothing for any other text.
std::optional<Species> parse_species(std::string_view text);

// Whether a symbol names a gene of the mitochondrial genome: prefix MT- or mt- (spec section 1).
bool is_mitochondrial(std::string_view symbol);

}  // namespace lodestone
