// Integers and their bits.
#include "tests/gpu/conformance/kernel.cuh"

namespace lodestone::gpu_tests {

namespace {

__device__ int mul24(int a, int b) {
  int d;
  asm volatile("mul24.lo.s32 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}
__device__ int multiply_high(int a, int b) {
  int d;
  asm volatile("mul.hi.s32 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}
__device__ std::uint64_t multiply_add_wide(std::uint32_t a, std::uint32_t b, std::uint64_t c) {
  std::uint64_t d;
  asm volatile("mad.wide.u32 %0, %1, %2, %3;" : "=l"(d) : "r"(a), "r"(b), "l"(c));
  return d;
}
__device__ int multiply_add_high_sat(int a, int b, int c) {
  int d;
  asm volatile("mad.hi.sat.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
__device__ int add_sat(int a, int b) {
  int d;
  asm volatile("add.sat.s32 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}
__device__ int extract_field(int a, std::uint32_t position, std::uint32_t length) {
  int d;
  asm volatile("bfe.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(position), "r"(length));
  return d;
}
__device__ std::uint64_t extract_long_field(std::uint64_t a, std::uint32_t position,
                                            std::uint32_t length) {
  std::uint64_t d;
  asm volatile("bfe.u64 %0, %1, %2, %3;" : "=l"(d) : "l"(a), "r"(position), "r"(length));
  return d;
}
__device__ std::uint32_t insert_field(std::uint32_t a, std::uint32_t b, std::uint32_t position,
                                      std::uint32_t length) {
  std::uint32_t d;
  asm volatile("bfi.b32 %0, %1, %2, %3, %4;"
               : "=r"(d)
               : "r"(a), "r"(b), "r"(position), "r"(length));
  return d;
}
__device__ std::uint32_t reverse_bits(std::uint32_t a) {
  std::uint32_t d;
  asm volatile("brev.b32 %0, %1;" : "=r"(d) : "r"(a));
  return d;
}
__device__ std::uint32_t count_bits(std::uint64_t a) {
  std::uint32_t d;
  asm volatile("popc.b64 %0, %1;" : "=r"(d) : "l"(a));
  return d;
}
__device__ std::uint32_t count_leading_zeros(std::uint32_t a) {
  std::uint32_t d;
  asm volatile("clz.b32 %0, %1;" : "=r"(d) : "r"(a));
  return d;
}
__device__ std::uint32_t find_leading_bit(int a) {
  std::uint32_t d;
  asm volatile("bfind.s32 %0, %1;" : "=r"(d) : "r"(a));
  return d;
}
__device__ std::uint32_t permute_bytes(std::uint32_t a, std::uint32_t b, std::uint32_t selector) {
  std::uint32_t d;
  asm volatile("prmt.b32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(selector));
  return d;
}
__device__ std::uint32_t shift_funnel_left(std::uint32_t low, std::uint32_t high,
                                           std::uint32_t count) {
  std::uint32_t d;
  asm volatile("shf.l.wrap.b32 %0, %1, %2, %3;" : "=r"(d) : "r"(low), "r"(high), "r"(count));
  return d;
}
__device__ std::uint32_t shift_funnel_right(std::uint32_t low, std::uint32_t high,
                                            std::uint32_t count) {
  std::uint32_t d;
  asm volatile("shf.r.clamp.b32 %0, %1, %2, %3;" : "=r"(d) : "r"(low), "r"(high), "r"(count));
  return d;
}
__device__ int shift_right(int a, std::uint32_t count) {
  int d;
  asm volatile("shr.s32 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(count));
  return d;
}
__device__ std::uint32_t any_logic(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint32_t d;
  asm volatile("lop3.b32 %0, %1, %2, %3, 0xd8;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
__device__ std::uint32_t bit_mask(std::uint32_t position, std::uint32_t width) {
  std::uint32_t d;
  asm volatile("bmsk.clamp.b32 %0, %1, %2;" : "=r"(d) : "r"(position), "r"(width));
  return d;
}
__device__ int dot_product(std::uint32_t a, std::uint32_t b, int c) {
  int d;
  asm volatile("dp4a.s32.u32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}

}  // namespace

std::vector<ConformanceKernel> integer_kernels() {
  return {conformance_kernel<mul24>("mul24.lo.s32"),
          conformance_kernel<multiply_high>("mul.hi.s32"),
          conformance_kernel<multiply_add_wide>("mad.wide.u32"),
          conformance_kernel<multiply_add_high_sat>("mad.hi.sat.s32"),
          conformance_kernel<add_sat>("add.sat.s32"),
          conformance_kernel<extract_field>("bfe.s32"),
          conformance_kernel<extract_long_field>("bfe.u64"),
          conformance_kernel<insert_field>("bfi.b32"),
          conformance_kernel<reverse_bits>("brev.b32"),
          conformance_kernel<count_bits>("popc.b64"),
          conformance_kernel<count_leading_zeros>("clz.b32"),
          conformance_kernel<find_leading_bit>("bfind.s32"),
          conformance_kernel<permute_bytes>("prmt.b32"),
          conformance_kernel<shift_funnel_left>("shf.l.wrap.b32"),
          conformance_kernel<shift_funnel_right>("shf.r.clamp.b32"),
          conformance_kernel<shift_right>("shr.s32"),
          conformance_kernel<any_logic>("lop3.b32"),
          conformance_kernel<bit_mask>("bmsk.clamp.b32"),
          conformance_kernel<dot_product>("dp4a.s32.u32")};
}

}  // namespace lodestone::gpu_tests
