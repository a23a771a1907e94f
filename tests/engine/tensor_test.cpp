#include "engine/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "engine/memory/caching_allocator.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::expect_throws;

Tensor counting_up(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  std::iota(values.begin(), values.end(), 0.0f);
  return Tensor::from(values).view(shape);
}

TEST(Shape, ExtentsAndTheirNumber) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape.numel(), 24);
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape.text(), "[2, 3, 4]");
  EXPECT_EQ(Shape().numel(), 1);
  EXPECT_EQ((Shape{0, 5}).numel(), 0);
  EXPECT_NE((Shape{6}), (Shape{2, 3}));
}

TEST(Shape, RefusesWhatIsNoShape) {
  expect_throws(
      ErrorKind::kInvalidArgument, [] { Shape{-1}; }, "extent -1 is negative");
  expect_throws(
      ErrorKind::kInvalidArgument,
      [] {
        Shape{1, 1, 1, 1, 1};
      },
      "rank 5 is above 4");
  expect_throws(
      ErrorKind::kInvalidArgument,
      [] {
        (void)Shape{1, 2}[2];
      },
      "no axis 2 in rank 2");
  expect_throws(
      ErrorKind::kInvalidArgument,
      [] {
        (void)Shape{1, 2}[-3];
      },
      "no axis -3");
}

TEST(Tensor, CopiesShareTheirMemory) {
  Tensor a = counting_up({2, 3});
  Tensor b = a;
  b.host<float>()[4] = 40;
  EXPECT_EQ(a.host<float>()[4], 40);
  Tensor c = a.clone();
  c.host<float>()[4] = 0;
  EXPECT_EQ(a.host<float>()[4], 40);
}

TEST(Tensor, ViewsRowsAndSlicesShareTheirMemory) {
  Tensor a = counting_up({4, 3});
  EXPECT_EQ(a.view({2, 6}).shape(), (Shape{2, 6}));
  Tensor middle = a.rows(1, 3);
  EXPECT_EQ(middle.shape(), (Shape{2, 3}));
  EXPECT_EQ(middle.host<float>()[0], 3);
  EXPECT_EQ(middle.rows(1, 2).host<float>()[2], 8);
  middle.fill_zero();
  EXPECT_EQ(a.host<float>()[2], 2);
  EXPECT_EQ(a.host<float>()[3], 0);
  EXPECT_EQ(a.host<float>()[8], 0);
  EXPECT_EQ(a.host<float>()[9], 9);
  EXPECT_EQ(a.slice(10, {2}).host<float>()[1], 11);
  EXPECT_EQ(a.rows(4, 4).numel(), 0);
}

TEST(Tensor, AViewOutlivesWhatItWasTakenFrom) {
  Tensor row;
  { row = counting_up({4, 3}).rows(3, 4); }
  EXPECT_EQ(row.host<float>()[0], 9);
}

TEST(Tensor, RefusesWhatIsOutside) {
  const Tensor a = counting_up({4, 3});
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { a.view({5}); }, "[4, 3] cannot be viewed");
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { a.rows(3, 5); }, "rows 3..5 of [4, 3]");
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { a.rows(3, 2); }, "rows 3..2");
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { a.slice(10, {3}); }, "3 elements from 10 of 12");
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { a.slice(-1, {3}); }, "from -1 of 12");
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { (void)a.host<double>(); }, "host<f64>()");
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { Tensor().clone(); }, "undefined tensor");
  Tensor b = Tensor::zeros({11}, DType::kF32, Device::cpu());
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { b.copy_from(a); }, "cannot copy f32 [4, 3]");
  expect_throws(
      ErrorKind::kInvalidArgument, [&] { b.cast(DType::kI32); }, "i32 is not a floating type");
  expect_throws(
      ErrorKind::kInvalidArgument,
      [] { Tensor::from(std::vector<std::int32_t>{1}).cast(DType::kF32); },
      "i32 is not a floating type");
}

TEST(Tensor, EmptyTensorsHoldNothing) {
  Tensor a = Tensor::zeros({0, 3}, DType::kF32, Device::cpu());
  EXPECT_TRUE(a.defined());
  EXPECT_EQ(a.bytes(), 0u);
  EXPECT_EQ(a.clone().shape(), (Shape{0, 3}));
  EXPECT_FALSE(Tensor().defined());
}

TEST(Tensor, CastsRoundToNearest) {
  const Tensor a = Tensor::from(std::vector<double>{1.0 / 3, -2.5, 1e-40, 1e300});
  const Tensor narrow = a.cast(DType::kF32);
  EXPECT_EQ(narrow.host<float>()[0], 1.0f / 3);
  EXPECT_EQ(narrow.host<float>()[3], std::numeric_limits<float>::infinity());
  EXPECT_EQ(narrow.cast(DType::kF64).host<double>()[1], -2.5);
  EXPECT_EQ(a.cast(DType::kBf16).host<BFloat16>()[0].bits, 0x3eab);
}

TEST(BFloat16, RoundsTiesToEvenAndKeepsNaN) {
  EXPECT_EQ(BFloat16(1.0f).bits, 0x3f80);
  EXPECT_EQ(BFloat16(1.0f + 0x1p-8f).bits, 0x3f80);    // a tie, down to even
  EXPECT_EQ(BFloat16(1.0f + 0x3p-8f).bits, 0x3f82);    // a tie, up to even
  EXPECT_EQ(BFloat16(1.0f + 0x1.1p-8f).bits, 0x3f81);  // above a tie
  EXPECT_EQ(BFloat16(-0.0f).bits, 0x8000);
  EXPECT_EQ(BFloat16(std::numeric_limits<float>::max()).bits, 0x7f80);
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::nanf("")))));
  const float payload = std::bit_cast<float>(0x7f800001u);  // would truncate to infinity
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(payload))));
}

TEST(Allocator, BlocksAreAligned) {
  for (const std::int64_t n : {1, 3, 65, 1000}) {
    const Tensor t = Tensor::empty({n}, DType::kU8, Device::cpu());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.data()) % 64, 0u);
  }
}

TEST(Allocator, CountsWhatPassesThrough) {
  CountingAllocator counting(allocator(Device::cpu()));
  {
    const AllocatorScope scope(Device::cpu(), counting);
    const Tensor a = Tensor::empty({10}, DType::kF32, Device::cpu());
    {
      const Tensor b = Tensor::empty({5}, DType::kF64, Device::cpu());
      const Tensor view = a.view({2, 5});
      EXPECT_EQ(counting.stats().live_bytes, 80u);
      EXPECT_EQ(counting.stats().live_blocks, 2u);
    }
    EXPECT_EQ(counting.stats().live_bytes, 40u);
  }
  EXPECT_EQ(counting.stats().live_bytes, 0u);
  EXPECT_EQ(counting.stats().live_blocks, 0u);
  EXPECT_EQ(counting.stats().peak_bytes, 80u);
  EXPECT_EQ(counting.stats().allocations, 2u);
  const Tensor outside = Tensor::empty({10}, DType::kF32, Device::cpu());
  EXPECT_EQ(counting.stats().allocations, 2u);
}

TEST(CachingAllocator, HandsOutAgainWhatCameBack) {
  CountingAllocator counting(allocator(Device::cpu()));
  CachingAllocator cache(counting);
  void* const first = cache.allocate(1000);
  cache.free(first, 1000);
  EXPECT_EQ(cache.kept_bytes(), 1024u);
  EXPECT_EQ(cache.allocate(1024), first);  // the same class
  void* const second = cache.allocate(1000);
  EXPECT_NE(second, first);
  cache.free(second, 1000);
  EXPECT_EQ(cache.allocate(700), second);  // large enough, and less than twice as large
  void* const small = cache.allocate(100);
  cache.free(first, 1024);
  cache.free(second, 700);
  void* const third = cache.allocate(300);
  EXPECT_NE(third, first);  // would waste more than half
  EXPECT_EQ(counting.stats().allocations, 4u);
  cache.release();
  EXPECT_EQ(cache.kept_bytes(), 0u);
  EXPECT_EQ(counting.stats().live_blocks, 2u);
  cache.free(small, 100);
  cache.free(third, 300);
}

// Has room for 4096 bytes.
class SmallAllocator final : public Allocator {
 public:
  void* allocate(std::size_t bytes) override {
    if (used_ + bytes > 4096) fail(ErrorKind::kOutOfMemory, "{} bytes are too many", bytes);
    used_ += bytes;
    return allocator(Device::cpu()).allocate(bytes);
  }
  void free(void* block, std::size_t bytes) noexcept override {
    used_ -= bytes;
    allocator(Device::cpu()).free(block, bytes);
  }

 private:
  std::size_t used_ = 0;
};

TEST(CachingAllocator, GivesBackWhatItKeepsBeforeItFails) {
  SmallAllocator small;
  CachingAllocator cache(small);
  cache.free(cache.allocate(1024), 1024);
  void* const whole = cache.allocate(4096);
  EXPECT_EQ(cache.kept_bytes(), 0u);
  EXPECT_THROW(cache.allocate(64), Error);
  cache.free(whole, 4096);
}

TEST(Allocator, PoisonIsNaNInEveryFloatingType) {
  PoisoningAllocator poisoning(allocator(Device::cpu()));
  const AllocatorScope scope(Device::cpu(), poisoning);
  EXPECT_TRUE(std::isnan(Tensor::empty({1}, DType::kF32, Device::cpu()).host<float>()[0]));
  EXPECT_TRUE(std::isnan(Tensor::empty({1}, DType::kF64, Device::cpu()).host<double>()[0]));
  EXPECT_TRUE(std::isnan(
      static_cast<float>(Tensor::empty({1}, DType::kBf16, Device::cpu()).host<BFloat16>()[0])));
  EXPECT_EQ(Tensor::zeros({1}, DType::kF32, Device::cpu()).host<float>()[0], 0);
}

TEST(Allocator, SaysWhyThereIsNoSuchDevice) {
  const std::string expected = cuda_device_count() > 0 ? "there is no cuda:99" : cuda_problem();
  expect_throws(
      ErrorKind::kDevice, [] { Tensor::empty({1}, DType::kF32, Device::cuda(99)); }, expected);
}

}  // namespace
}  // namespace lodestone
