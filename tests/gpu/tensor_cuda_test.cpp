// Tensors, copies and memory of a CUDA device.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/core/device_memory.h"
#include "engine/memory/allocator.h"
#include "engine/memory/storage.h"
#include "engine/tensor.h"

namespace lodestone {
namespace {

const Device kCuda = Device::cuda();

Tensor counted(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 1.0F);
  return Tensor::from(values);
}

std::vector<float> on_host(const Tensor& tensor) {
  const Tensor host = tensor.to(Device::cpu());
  return {host.host<float>().begin(), host.host<float>().end()};
}

TEST(TensorCuda, GoesThereAndBack) {
  for (const std::int64_t count : {1, 2, 1000}) {
    const Tensor here = counted(count);
    const Tensor there = here.to(kCuda);
    EXPECT_EQ(there.device(), kCuda);
    EXPECT_EQ(there.shape(), here.shape());
    EXPECT_EQ(on_host(there), on_host(here));
    EXPECT_EQ(there.to(kCuda).data(), there.data());
  }
}

TEST(TensorCuda, LargerThanTheStagingMemory) {
  const Tensor here = counted(5 << 20);  // 20 MiB
  EXPECT_EQ(on_host(here.to(kCuda)), on_host(here));
}

// The staging memory is used again and again; what was copied must not change with it.
TEST(TensorCuda, ManyCopiesAtOnce) {
  std::vector<Tensor> here, there;
  for (int k = 0; k < 12; ++k) {
    here.push_back(counted((1 << 20) + k));  // 48 MiB in all
    there.push_back(here.back().to(kCuda));
  }
  for (std::size_t k = 0; k < here.size(); ++k) EXPECT_EQ(on_host(there[k]), on_host(here[k]));
}

TEST(TensorCuda, ZeroCloneCopyAndParts) {
  Tensor zeros = Tensor::zeros({3, 2}, DType::kF32, kCuda);
  EXPECT_EQ(on_host(zeros), std::vector<float>(6, 0));
  const Tensor some = counted(6).view({3, 2}).to(kCuda);
  const Tensor copy = some.clone();
  EXPECT_NE(copy.data(), some.data());
  EXPECT_EQ(on_host(copy), on_host(some));
  zeros.rows(1, 2).copy_from(some.rows(2, 3));
  EXPECT_EQ(on_host(zeros), (std::vector<float>{0, 0, 5, 6, 0, 0}));
  zeros.rows(2, 3).copy_from(counted(2).view({1, 2}));
  EXPECT_EQ(on_host(zeros), (std::vector<float>{0, 0, 5, 6, 1, 2}));
}

TEST(TensorCuda, TheKeptCopyIsMadeOnce) {
  const Tensor here = counted(8);
  const Tensor there = here.on(kCuda);
  EXPECT_EQ(here.on(kCuda).data(), there.data());
  EXPECT_EQ(here.slice(2, {3}).data_on<float>(kCuda), here.data_on<float>(kCuda) + 2);
  EXPECT_EQ(on_host(there), on_host(here));
}

TEST(TensorCuda, HostAccessIsRefused) {
  Tensor there = counted(2).to(kCuda);
  EXPECT_THROW(there.host<float>(), Error);
}

TEST(TensorCuda, MemoryIsCountedPoisonedAndGivenBack) {
  PoisoningAllocator poisoning(allocator(kCuda), kCuda);
  CountingAllocator counting(poisoning);
  {
    const AllocatorScope scope(kCuda, counting);
    const Tensor empty = Tensor::empty({4}, DType::kF32, kCuda);
    EXPECT_EQ(counting.stats().live_bytes, 16U);
    for (const float value : on_host(empty)) EXPECT_TRUE(std::isnan(value));
  }
  EXPECT_EQ(counting.stats().live_blocks, 0U);
}

TEST(TensorCuda, MoreMemoryThanThereIs) {
  try {
    Tensor::empty({std::int64_t{1} << 50}, DType::kF32, kCuda);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kOutOfMemory);
  }
  EXPECT_EQ(on_host(counted(3).to(kCuda)), on_host(counted(3)));  // the device goes on
}

}  // namespace
}  // namespace lodestone
