// The replaced runtime: limits of launches, faults that stay, copies that must stay in bounds.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/gpu/device_array.h"
#include "tests/gpu/kernels/control_kernels.h"
#include "tests/gpu/kernels/limit_kernels.h"
#include "tests/gpu/runtime/findings.h"

namespace lodestone::testing {
namespace {

using ::testing::HasSubstr;

class Runtime : public ::testing::Test {
 protected:
  void TearDown() override { cudaDeviceReset(); }
};

TEST_F(Runtime, LaunchesBeyondTheLimitsAreRefused) {
  EXPECT_EQ(launch_plain(1, 1025, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch_plain(0, 32, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch_plain(1, 0, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch_plain(1, 32, 48 * 1024 + 1), cudaErrorInvalidValue);
  EXPECT_THAT(cudaGetErrorString(cudaErrorInvalidValue), HasSubstr("cudaFuncSetAttribute"));
  EXPECT_EQ(launch_plain(1, 1024, 48 * 1024), cudaSuccess);
  EXPECT_EQ(launch_bounded(65), cudaErrorLaunchOutOfResources);
  EXPECT_THAT(cudaGetErrorString(cudaErrorLaunchOutOfResources), HasSubstr("__launch_bounds__"));
  EXPECT_EQ(launch_bounded(64), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

TEST_F(Runtime, AnAttributeAllowsSharedMemoryUpToTheDevices) {
  EXPECT_EQ(allow_shared_memory(227 * 1024 + 1), cudaErrorInvalidValue);
  EXPECT_EQ(allow_shared_memory(100 * 1024), cudaSuccess);
  EXPECT_EQ(launch_large(100 * 1024), cudaSuccess);
  EXPECT_EQ(launch_large(100 * 1024 + 4), cudaErrorInvalidValue);
  EXPECT_EQ(allow_shared_memory(227 * 1024), cudaSuccess);
  EXPECT_EQ(launch_large(227 * 1024), cudaSuccess);
  EXPECT_EQ(launch_large(227 * 1024 + 4), cudaErrorInvalidValue);
}

TEST_F(Runtime, AFaultStaysUntilTheDeviceIsReset) {
  run_trap();
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 16), cudaErrorLaunchFailure);
  EXPECT_EQ(launch_plain(1, 32, 0), cudaErrorLaunchFailure);
  EXPECT_THAT(cudaGetErrorString(cudaErrorLaunchFailure), HasSubstr("control_kernels.cu"));
  EXPECT_EQ(cudaDeviceReset(), cudaSuccess);
  EXPECT_EQ(launch_plain(1, 32, 0), cudaSuccess);
}

TEST_F(Runtime, ErrorsOfOneCallAreToldOnce) {
  EXPECT_EQ(cudaMemset(nullptr, 0, 4), cudaErrorInvalidValue);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(Runtime, AssertionsAndStraysAreFindings) {
  DeviceArray<int> value(1, 100);
  run_assertion(value.data());
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorAssert);
  auto finding = ptx::take_finding();
  ASSERT_TRUE(finding);
  EXPECT_EQ(finding->kind, ptx::FindingKind::kAssertion);
  EXPECT_THAT(finding->message, HasSubstr("*value < 100"));
  EXPECT_EQ(finding->where.back().file, "control_kernels.cu");

  run_assertion(value.data() + 1);
  finding = ptx::take_finding();
  ASSERT_TRUE(finding);
  EXPECT_EQ(finding->kind, ptx::FindingKind::kOutOfBounds);
  EXPECT_THAT(finding->message, HasSubstr("4 bytes past the start of an allocation of 4 bytes"));

  void* freed = nullptr;
  ASSERT_EQ(cudaMalloc(&freed, 4), cudaSuccess);
  ASSERT_EQ(cudaFree(freed), cudaSuccess);
  run_assertion(static_cast<const int*>(freed));
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_TRUE(ptx::take_finding());
  EXPECT_FALSE(ptx::take_finding());
}

TEST_F(Runtime, BuffersWithinDynamicSharedMemoryAreObjectsOnceAnnounced) {
  EXPECT_EQ(launch_carved(8, 7), cudaSuccess);
  EXPECT_EQ(launch_carved(8, 8), cudaErrorIllegalAddress);  // the gap between them
  const auto finding = ptx::take_finding();
  ASSERT_TRUE(finding);
  EXPECT_THAT(finding->message, HasSubstr("32 bytes past the start of an object of 32 bytes"));
  EXPECT_EQ(launch_carved(8, 9), cudaSuccess);  // the second one
  EXPECT_EQ(launch_carved(8, 17), cudaErrorIllegalAddress);
}

TEST_F(Runtime, CopiesStayWithinAllocations) {
  DeviceArray<int> array(4, 5);
  std::vector<int> host(8);
  EXPECT_EQ(cudaMemcpy(host.data(), array.data(), 16, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(host[3], 5);
  EXPECT_EQ(cudaMemcpy(host.data(), array.data(), 17, cudaMemcpyDefault), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host.data(), host.data(), 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(array.data() + 1, 0, 16), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(array.data() + 1, 0, 12), cudaSuccess);
  EXPECT_EQ(array.host(), (std::vector<int>{5, 0, 0, 0}));
  EXPECT_EQ(cudaFree(array.data() + 1), cudaErrorInvalidValue);
}

TEST_F(Runtime, StreamsEventsAndPinnedMemory) {
  cudaStream_t stream = nullptr;
  cudaEvent_t begin = nullptr, end = nullptr;
  ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&begin), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&end), cudaSuccess);
  void* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(&pinned, sizeof(int)), cudaSuccess);
  *static_cast<int*>(pinned) = 3;
  EXPECT_EQ(cudaEventRecord(begin, stream), cudaSuccess);
  run_assertion(static_cast<const int*>(pinned));  // the device reads the host's memory
  EXPECT_EQ(cudaEventRecord(end, stream), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, end), cudaSuccess);
  EXPECT_GE(milliseconds, 0);
  cudaPointerAttributes attributes{};
  EXPECT_EQ(cudaPointerGetAttributes(&attributes, pinned), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(begin), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(end), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

TEST_F(Runtime, MemoryOfPoolsIsCheckedLikeAnyOther) {
  cudaMemPool_t pool = nullptr;
  ASSERT_EQ(cudaDeviceGetDefaultMemPool(&pool, 0), cudaSuccess);
  std::uint64_t kept = 1 << 20;
  EXPECT_EQ(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &kept), cudaSuccess);
  void* plain = nullptr;
  void* of_pool = nullptr;
  ASSERT_EQ(cudaMallocAsync(&plain, 16, nullptr), cudaSuccess);
  ASSERT_EQ(cudaMallocFromPoolAsync(&of_pool, 16, pool, nullptr), cudaSuccess);
  EXPECT_NE(plain, of_pool);
  EXPECT_EQ(cudaMemset(of_pool, 1, 16), cudaSuccess);
  EXPECT_EQ(cudaMemset(of_pool, 1, 17), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeAsync(plain, nullptr), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(of_pool, nullptr), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(of_pool, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemPoolTrimTo(pool, 0), cudaSuccess);
  run_assertion(static_cast<const int*>(of_pool));
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
}

TEST_F(Runtime, TheDeviceDescribesItself) {
  cudaDeviceProp properties;
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_THAT(properties.name, HasSubstr("interpreter"));
  const std::pair<cudaDeviceAttr, int> attributes[]{
      {cudaDevAttrComputeCapabilityMajor, properties.major},
      {cudaDevAttrComputeCapabilityMinor, properties.minor},
      {cudaDevAttrMultiProcessorCount, properties.multiProcessorCount},
      {cudaDevAttrMaxThreadsPerBlock, properties.maxThreadsPerBlock},
      {cudaDevAttrMaxSharedMemoryPerBlock, static_cast<int>(properties.sharedMemPerBlock)},
      {cudaDevAttrMaxSharedMemoryPerBlockOptin,
       static_cast<int>(properties.sharedMemPerBlockOptin)},
      {cudaDevAttrCooperativeLaunch, properties.cooperativeLaunch}};
  for (const auto& [attribute, expected] : attributes) {
    int value = -1;
    EXPECT_EQ(cudaDeviceGetAttribute(&value, attribute, 0), cudaSuccess);
    EXPECT_EQ(value, expected) << "attribute " << attribute;
  }
  EXPECT_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
}

TEST_F(Runtime, OccupancyCountsThreadsAndSharedMemory) {
  EXPECT_EQ(blocks_of_bounded(64, 0), 32);
  EXPECT_EQ(blocks_of_bounded(64, 40 * 1024), 5);
}

}  // namespace
}  // namespace lodestone::testing
