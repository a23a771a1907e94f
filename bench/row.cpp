#include "bench/row.h"

namespace lodestone::bench {

namespace {

using nlohmann::ordered_json;

constexpr double kGiga = 1e9;

std::string name_of(Roof roof, const Peaks& peaks) {
  switch (roof) {
    case Roof::kNone:
      return "";
    case Roof::kCopy:
      return "copy";
    case Roof::kMultipliesF32:
      return peaks.f32_name;
    case Roof::kMultipliesBf16:
      return peaks.bf16_name;
  }
  return "";
}

}  // namespace

double Row::share(const Peaks& peaks) const {
  switch (roof) {
    case Roof::kNone:
      return 0;
    case Roof::kCopy:
      return work.bytes / timing.median / peaks.copy;
    case Roof::kMultipliesF32:
      return work.flops / timing.median / peaks.multiplies(DType::kF32);
    case Roof::kMultipliesBf16:
      return work.flops / timing.median / peaks.multiplies(DType::kBf16);
  }
  return 0;
}

Roof multiplies(DType dtype) {
  return dtype == DType::kBf16 ? Roof::kMultipliesBf16 : Roof::kMultipliesF32;
}

ordered_json to_json(const Row& row, const Peaks& peaks) {
  const double seconds = row.timing.median;
  ordered_json json = {{"name", row.name},
                       {"seconds", seconds},
                       {"fastest", row.timing.fastest},
                       {"slowest", row.timing.slowest},
                       {"repetitions", row.timing.repetitions}};
  const auto rate = [&](const char* key, double amount, double unit) {
    if (amount > 0) json[key] = amount / seconds / unit;
  };
  rate("gflops", row.work.flops, kGiga);
  rate("gb_per_s", row.work.bytes, kGiga);
  rate("cells_per_s", row.work.cells, 1);
  rate("tokens_per_s", row.work.tokens, 1);
  if (row.roof != Roof::kNone) {
    json["peak"] = name_of(row.roof, peaks);
    json["share_of_peak"] = row.share(peaks);
    if (row.roof == Roof::kMultipliesBf16 && peaks.published_bf16 > 0)
      json["mfu"] = row.work.flops / seconds / peaks.published_bf16;
  }
  if (row.share_of_library > 0) json["share_of_library"] = row.share_of_library;
  if (row.share_of_step > 0) json["share_of_step"] = row.share_of_step;
  if (row.ops > 0) json["ops"] = row.ops;
  if (row.device_bytes > 0) json["device_bytes"] = row.device_bytes;
  return json;
}

ordered_json to_json(const Peaks& peaks) {
  ordered_json json = {{peaks.f32_name + "_gflops", peaks.f32 / kGiga},
                       {peaks.bf16_name + "_gflops", peaks.bf16 / kGiga},
                       {"copy_gb_per_s", peaks.copy / kGiga}};
  if (peaks.published_bf16 > 0) json["published_bf16_gflops"] = peaks.published_bf16 / kGiga;
  return json;
}

}  // namespace lodestone::bench
