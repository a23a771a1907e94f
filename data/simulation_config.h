#pragma once
#include <cstdint>

namespace lodestone {

struct SimulationConfig {
  std::int64_t cells = 1000;  // of each species
  std::int64_t genes = 1200;  // of each species
  double homologous_share = 0.8;
  std::int64_t transcription_factors = 60;
  double regulators = 4;
  double divergence = 0.15;
  std::int64_t cell_types = 6;
  double type_effect = 0.8;
  double activity_noise = 0.25;
  std::int64_t batches = 2;
  double batch_effect = 0.15;
  double depth = 2500;
  double depth_spread = 0.35;
  double dispersion = 0.25;
  double dropout = 0;
  std::int64_t perturbations = 0;
  std::int64_t doses = 3;
  double perturbation_effect = 2;
  double perturbed_share = 0.5;
  std::uint64_t seed = 42;  // of everything; not a field: every command has its own --seed

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("cells", cells, "cells of each species");
    visit("genes", genes, "genes of each species");
    visit("homologous_share", homologous_share, "share of genes with a one-to-one homologue");
    visit("transcription_factors", transcription_factors, "factors, homologous in both species");
    visit("regulators", regulators, "mean number of factors that regulate a gene, at least 1");
    visit("divergence", divergence, "standard deviation of what differs between homologues");
    visit("cell_types", cell_types, "cell types, found in both species");
    visit("type_effect", type_effect, "standard deviation of a factor's log activity over types");
    visit("activity_noise", activity_noise, "the same over cells of one type");
    visit("batches", batches, "batches of each species");
    visit("batch_effect", batch_effect, "standard deviation of a gene's log mean over batches");
    visit("depth", depth, "mean counts of a cell");
    visit("depth_spread", depth_spread, "standard deviation of a cell's log depth");
    visit("dispersion", dispersion,
          "of the negative binomial: variance = mean + dispersion mean^2");
    visit("dropout", dropout, "probability that a count is lost whole; the depth holds after it");
    visit("perturbations", perturbations, "factors perturbed, knock-downs and over-expressions");
    visit("doses", doses, "doses of each perturbation, evenly spaced up to 1");
    visit("perturbation_effect", perturbation_effect,
          "change of a factor's log activity at dose 1");
    visit("perturbed_share", perturbed_share, "share of cells that are perturbed, if any is");
  }
};

inline constexpr std::int64_t kMitochondrialGenes = 13;  // protein-coding, as in mammals

// Throws kInvalidArgument naming every setting that is out of range.
void check_simulation(const SimulationConfig& config);

}  // namespace lodestone
