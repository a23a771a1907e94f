#include "tests/gpu/emulator/tensor_map.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <vector>

#include "tests/testing/expect_error.h"

namespace lodestone::ptx {
namespace {

// The arguments of cuTensorMapEncodeTiled, of a legal map of rank 3.
struct Request {
  CUtensorMapDataType type = CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  std::uint32_t rank = 3;
  std::uintptr_t address = 0x10000;
  std::vector<std::uint64_t> sizes{100, 50, 7, 3, 2};
  std::vector<std::uint64_t> strides{208, 208 * 50, 208 * 400, 208 * 1200};
  std::vector<std::uint32_t> box{64, 8, 2, 1, 1};
  std::vector<std::uint32_t> steps{1, 1, 1, 1, 1};
  CUtensorMapInterleave interleave = CU_TENSOR_MAP_INTERLEAVE_NONE;
  CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B;
  CUtensorMapL2promotion promotion = CU_TENSOR_MAP_L2_PROMOTION_NONE;
  CUtensorMapFloatOOBfill fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;

  TensorMap encode() const {
    return TensorMap::encode(type, rank, reinterpret_cast<const void*>(address), sizes.data(),
                             strides.data(), box.data(), steps.data(), interleave, swizzle,
                             promotion, fill);
  }
};

TEST(TensorMap, ALegalMapIsKept) {
  const TensorMap map = Request().encode();
  EXPECT_EQ(map.rank, 3);
  EXPECT_EQ(map.element_bytes(), 2u);
  EXPECT_EQ(map.row_bytes(), 128u);
  EXPECT_EQ(map.box_bytes(), 128u * 16);
  CUtensorMap bytes;
  map.write(&bytes);
  const std::optional<TensorMap> read = TensorMap::read(&bytes);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->sizes, map.sizes);
  EXPECT_EQ(read->strides, map.strides);
  bytes = CUtensorMap();
  EXPECT_FALSE(TensorMap::read(&bytes).has_value());
}

struct Mistake {
  const char* name;
  std::function<void(Request&)> make;
  const char* message;
};

class TensorMapMistake : public ::testing::TestWithParam<Mistake> {};

TEST_P(TensorMapMistake, IsNamed) {
  Request request;
  GetParam().make(request);
  lodestone::testing::expect_error(ErrorKind::kInvalidArgument, GetParam().message,
                                   [&] { request.encode(); });
}

INSTANTIATE_TEST_SUITE_P(
    All, TensorMapMistake,
    ::testing::Values(
        Mistake{"Rank0", [](Request& r) { r.rank = 0; }, "rank 0"},
        Mistake{"Rank6", [](Request& r) { r.rank = 6; }, "rank 6"},
        Mistake{"NoAddress", [](Request& r) { r.address = 0; }, "multiple of 16"},
        Mistake{"OddAddress", [](Request& r) { r.address += 8; }, "multiple of 16"},
        Mistake{"NoSize", [](Request& r) { r.sizes[1] = 0; }, "dimension 1 has 0"},
        Mistake{"LargeSize", [](Request& r) { r.sizes[2] = (1ull << 32) + 1; }, "dimension 2"},
        Mistake{"OddStride", [](Request& r) { r.strides[0] = 216; }, "stride 0 is 216"},
        Mistake{"LongStride", [](Request& r) { r.strides[1] = 1ull << 40; }, "stride 1"},
        Mistake{"ShortStride", [](Request& r) { r.strides[0] = 192; }, "below the 200"},
        Mistake{"StridesDescend", [](Request& r) { r.strides[1] = 192; }, "below the 208"},
        Mistake{"NoBox", [](Request& r) { r.box[1] = 0; }, "box dimension 1 is 0"},
        Mistake{"LargeBox", [](Request& r) { r.box[2] = 257; }, "box dimension 2 is 257"},
        Mistake{"OddBox", [](Request& r) { r.box[0] = 60; }, "120 bytes wide"},
        Mistake{"BoxBeyondTheSwizzle", [](Request& r) { r.box[0] = 72; },
                "more than the swizzle's 128"},
        Mistake{"BoxBeyondASmallSwizzle", [](Request& r) { r.swizzle = CU_TENSOR_MAP_SWIZZLE_32B; },
                "more than the swizzle's 32"},
        Mistake{"BoxWithinTheSwizzle", [](Request& r) { r.box[0] = 32; },
                "swizzle's 128 bytes only"},
        Mistake{"NoStep", [](Request& r) { r.steps[1] = 0; }, "element stride 1 is 0"},
        Mistake{"LargeStep", [](Request& r) { r.steps[2] = 9; }, "element stride 2 is 9"},
        Mistake{"Interleave", [](Request& r) { r.interleave = CU_TENSOR_MAP_INTERLEAVE_32B; },
                "interleave"},
        Mistake{"UnknownSwizzle",
                [](Request& r) { r.swizzle = CU_TENSOR_MAP_SWIZZLE_128B_ATOM_32B; }, "swizzle 4"},
        Mistake{"PackedType", [](Request& r) { r.type = CU_TENSOR_MAP_DATA_TYPE_16U4_ALIGN8B; },
                "data type"},
        Mistake{"NanOfIntegers",
                [](Request& r) {
                  r.type = CU_TENSOR_MAP_DATA_TYPE_UINT16;
                  r.fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA;
                },
                "NaN fill"}),
    [](const auto& mistake) { return mistake.param.name; });

// A small tensor of random extents, in memory, and a box of it.
struct RandomTensor {
  Request request;
  std::vector<std::uint16_t> memory;
  std::array<std::int32_t, 5> corner{};

  RandomTensor(std::mt19937& random, std::uint32_t rank) {
    const auto number = [&random](int low, int high) {
      return std::uniform_int_distribution<int>(low, high)(random);
    };
    request.type = CU_TENSOR_MAP_DATA_TYPE_UINT16;
    request.rank = rank;
    request.swizzle = CU_TENSOR_MAP_SWIZZLE_NONE;
    for (std::size_t i = 0; i < 5; ++i) {
      const bool exists = i < rank;
      request.sizes[i] = static_cast<std::uint64_t>(exists ? number(1, i == 0 ? 30 : 4) : 1);
      request.box[i] = static_cast<std::uint32_t>(i == 0 ? 8 * number(1, 3) : number(1, 4));
      request.steps[i] = static_cast<std::uint32_t>(i == 0 ? 1 : number(1, 2));
      if (exists) corner[i] = number(-3, i == 0 ? 20 : 3);
      if (i < 4) request.strides[i] = (stride(i) * request.sizes[i] + 15) / 16 * 16 + 16;
    }
    memory.resize(request.strides[3] * request.sizes[4] / 2 + 64);
    std::iota(memory.begin(), memory.end(), std::uint16_t{1});
    request.address = (reinterpret_cast<std::uintptr_t>(memory.data()) + 15) / 16 * 16;
  }

  std::uint64_t stride(std::size_t dimension) const {
    return dimension == 0 ? 2 : request.strides[dimension - 1];
  }
  // Element `index` of the box, counting through its dimensions; zero outside of the tensor.
  std::uint16_t element(std::size_t index) const {
    std::int64_t byte = 0;
    for (std::size_t i = 0; i < request.rank; ++i) {
      const std::uint32_t extent = (request.box[i] + request.steps[i] - 1) / request.steps[i];
      const std::int64_t place =
          corner[i] + static_cast<std::int64_t>(index % extent) * request.steps[i];
      index /= extent;
      if (place < 0 || place >= static_cast<std::int64_t>(request.sizes[i])) return 0;
      byte += place * static_cast<std::int64_t>(stride(i));
    }
    std::uint16_t value = 0;
    std::memcpy(&value,
                reinterpret_cast<const void*>(request.address + static_cast<std::uint64_t>(byte)),
                sizeof(value));
    return value;
  }
};

TEST(TensorMap, ABoxHasTheTensorsElementsAndZerosAround) {
  std::mt19937 random(3);
  for (std::uint32_t rank = 1; rank <= 5; ++rank)
    for (int trial = 0; trial < 20; ++trial) {
      const RandomTensor tensor(random, rank);
      const TensorMap map = tensor.request.encode();
      std::vector<std::uint16_t> found(map.box_bytes() / 2, 0);
      visit_box(map, tensor.corner, 0, [&](const BoxChunk& chunk) {
        std::memcpy(reinterpret_cast<char*>(found.data()) + chunk.shared + chunk.begin,
                    reinterpret_cast<const void*>(chunk.global + chunk.begin),
                    chunk.end - chunk.begin);
      });
      for (std::size_t i = 0; i < found.size(); ++i)
        ASSERT_EQ(found[i], tensor.element(i))
            << "rank " << rank << " trial " << trial << " element " << i;
    }
}

// The published figures: with 128 bytes, chunk c of row r lies at chunk c ^ (r % 8); with 64 bytes
// two rows share a line and r / 2 counts; with 32 bytes four do.
TEST(TensorMap, ChunksAreSwizzledByTheirRow) {
  struct Case {
    CUtensorMapSwizzle swizzle;
    std::uint32_t chunks, rows_per_line;
  };
  for (const Case& c :
       {Case{CU_TENSOR_MAP_SWIZZLE_128B, 8, 1}, Case{CU_TENSOR_MAP_SWIZZLE_64B, 4, 2},
        Case{CU_TENSOR_MAP_SWIZZLE_32B, 2, 4}}) {
    Request request;
    request.swizzle = c.swizzle;
    request.box = {c.chunks * 8, 16, 1, 1, 1};
    std::uint32_t index = 0;
    const std::array<std::int32_t, 5> origin{};
    visit_box(request.encode(), origin, 0x800, [&](const BoxChunk& chunk) {
      const std::uint32_t row = index / c.chunks, column = index % c.chunks;
      const std::uint32_t exchanged = column ^ (row / c.rows_per_line % c.chunks);
      EXPECT_EQ(chunk.shared, 0x800 + (row * c.chunks + exchanged) * 16);
      ++index;
    });
    EXPECT_EQ(index, 16 * c.chunks);
  }
}

TEST(TensorMap, FillsWithNan) {
  Request request;
  request.fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA;
  for (const std::byte byte : fill_pattern(request.encode())) EXPECT_EQ(byte, std::byte{0xff});
  for (const std::byte byte : fill_pattern(Request().encode())) EXPECT_EQ(byte, std::byte{0});
}

}  // namespace
}  // namespace lodestone::ptx
