#include "bench/library_product.h"

#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

namespace lodestone::bench {

namespace {

using Tag = dnnl::memory::format_tag;

const dnnl::engine& library_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::memory::desc description(std::int64_t rows, std::int64_t columns, DType dtype, Tag tag) {
  const auto type =
      dtype == DType::kBf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
  return {{rows, columns}, type, tag};
}

// Memory of that layout, zeros: oneDNN takes the same time for every finite value.
dnnl::memory zeros(const dnnl::memory::desc& layout) {
  dnnl::memory memory(layout, library_engine());
  std::fill_n(static_cast<char*>(memory.get_data_handle()), layout.get_size(), 0);
  return memory;
}

}  // namespace

std::function<void()> library_product(const ProductShape& shape) {
  const auto a = description(shape.m, shape.k, shape.dtype, shape.transpose_a ? Tag::ba : Tag::ab);
  const auto b = description(shape.k, shape.n, shape.dtype, shape.constant_b ? Tag::any : Tag::ab);
  const auto c = description(shape.m, shape.n, shape.result, Tag::ab);
  try {
    const dnnl::matmul::primitive_desc chosen(dnnl::matmul::desc(a, b, c), library_engine());
    return [product = dnnl::matmul(chosen), stream = dnnl::stream(library_engine()),
            arguments = std::unordered_map<int, dnnl::memory>{
                {DNNL_ARG_SRC, zeros(chosen.src_desc())},
                {DNNL_ARG_WEIGHTS, zeros(chosen.weights_desc())},
                {DNNL_ARG_DST, zeros(chosen.dst_desc())}}]() mutable {
      product.execute(stream, arguments);
      stream.wait();
    };
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return {};
    throw;
  }
}

}  // namespace lodestone::bench
