#include "tests/gpu/emulator/special_registers.h"

#include <algorithm>
#include <array>

#include "engine/core/check.h"
#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/launch.h"

namespace lodestone::ptx {

namespace {

using Value = std::uint64_t (*)(const Warp&, std::uint32_t lane);

Dimensions thread(const Warp& warp, std::uint32_t lane) {
  return warp.block().thread_index(warp.thread(lane));
}

struct SpecialValue {
  std::string_view name;
  Value value;
};

std::uint64_t zero(const Warp& /*warp*/, std::uint32_t /*lane*/) {
  return 0;
}
std::uint64_t one(const Warp& /*warp*/, std::uint32_t /*lane*/) {
  return 1;
}
std::uint64_t block_x(const Warp& warp, std::uint32_t /*lane*/) {
  return warp.block().index().x;
}
std::uint64_t block_y(const Warp& warp, std::uint32_t /*lane*/) {
  return warp.block().index().y;
}
std::uint64_t block_z(const Warp& warp, std::uint32_t /*lane*/) {
  return warp.block().index().z;
}
std::uint64_t grid_x(const Warp& w, std::uint32_t /*lane*/) {
  return w.block().launch().grid.x;
}
std::uint64_t grid_y(const Warp& w, std::uint32_t /*lane*/) {
  return w.block().launch().grid.y;
}
std::uint64_t grid_z(const Warp& w, std::uint32_t /*lane*/) {
  return w.block().launch().grid.z;
}

// A block is a cluster of its own.
constexpr std::array kValues{
    SpecialValue{"%tid.x",
                 [](const Warp& w, std::uint32_t l) { return std::uint64_t{thread(w, l).x}; }},
    SpecialValue{"%tid.y",
                 [](const Warp& w, std::uint32_t l) { return std::uint64_t{thread(w, l).y}; }},
    SpecialValue{"%tid.z",
                 [](const Warp& w, std::uint32_t l) { return std::uint64_t{thread(w, l).z}; }},
    SpecialValue{
        "%ntid.x",
        [](const Warp& w, std::uint32_t) { return std::uint64_t{w.block().launch().block.x}; }},
    SpecialValue{
        "%ntid.y",
        [](const Warp& w, std::uint32_t) { return std::uint64_t{w.block().launch().block.y}; }},
    SpecialValue{
        "%ntid.z",
        [](const Warp& w, std::uint32_t) { return std::uint64_t{w.block().launch().block.z}; }},
    SpecialValue{"%ctaid.x", block_x},
    SpecialValue{"%ctaid.y", block_y},
    SpecialValue{"%ctaid.z", block_z},
    SpecialValue{"%nctaid.x", grid_x},
    SpecialValue{"%nctaid.y", grid_y},
    SpecialValue{"%nctaid.z", grid_z},
    SpecialValue{"%laneid", [](const Warp&, std::uint32_t l) { return std::uint64_t{l}; }},
    SpecialValue{"%warpid", [](const Warp& w, std::uint32_t) { return std::uint64_t{w.index()}; }},
    SpecialValue{"%nwarpid", [](const Warp& w,
                                std::uint32_t) { return std::uint64_t{w.block().warps().size()}; }},
    SpecialValue{"%smid", zero},
    SpecialValue{"%nsmid", one},
    SpecialValue{"%gridid", zero},
    SpecialValue{"%lanemask_eq",
                 [](const Warp&, std::uint32_t l) { return std::uint64_t{1u << l}; }},
    SpecialValue{"%lanemask_lt",
                 [](const Warp&, std::uint32_t l) { return std::uint64_t{(1u << l) - 1}; }},
    SpecialValue{
        "%lanemask_le",
        [](const Warp&, std::uint32_t l) { return std::uint64_t{(1u << l) - 1 + (1u << l)}; }},
    SpecialValue{
        "%lanemask_gt",
        [](const Warp&, std::uint32_t l) { return std::uint64_t{~((1u << l) - 1 + (1u << l))}; }},
    SpecialValue{"%lanemask_ge",
                 [](const Warp&, std::uint32_t l) { return std::uint64_t{~((1u << l) - 1)}; }},
    SpecialValue{"%dynamic_smem_size",
                 [](const Warp& w, std::uint32_t) {
                   return std::uint64_t{w.block().launch().dynamic_shared_bytes};
                 }},
    SpecialValue{"%clusterid.x", block_x},
    SpecialValue{"%clusterid.y", block_y},
    SpecialValue{"%clusterid.z", block_z},
    SpecialValue{"%nclusterid.x", grid_x},
    SpecialValue{"%nclusterid.y", grid_y},
    SpecialValue{"%nclusterid.z", grid_z},
    SpecialValue{"%cluster_ctaid.x", zero},
    SpecialValue{"%cluster_ctaid.y", zero},
    SpecialValue{"%cluster_ctaid.z", zero},
    SpecialValue{"%cluster_nctaid.x", one},
    SpecialValue{"%cluster_nctaid.y", one},
    SpecialValue{"%cluster_nctaid.z", one},
    SpecialValue{"%cluster_ctarank", zero},
    SpecialValue{"%cluster_nctarank", one},
};

}  // namespace

std::optional<std::uint32_t> special_register(std::string_view name) {
  const auto* found = std::ranges::find(kValues, name, &SpecialValue::name);
  if (found == kValues.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - kValues.begin());
}

bool is_clock(std::string_view name) {
  return name == "%clock" || name == "%clock_hi" || name == "%clock64" || name == "%globaltimer" ||
         name == "%globaltimer_lo" || name == "%globaltimer_hi";
}

std::uint64_t special_register_value(const Warp& warp, std::uint32_t lane, std::uint32_t number) {
  return kValues.at(number).value(warp, lane);
}

}  // namespace lodestone::ptx
