#pragma once
// Copies of the rows of one head, packed into the operands of attention_avx512.h.
#include <algorithm>

#include "kernels/cpu/attention_avx512.h"
#include "kernels/cpu/attention_items.h"
#include "kernels/visit.h"

namespace lodestone::kernels::avx512 {

template <class T>
using WordOf = std::conditional_t<std::is_same_v<T, BFloat16>, Pair, float>;

// A head's size in packed operands.
template <class T>
struct Extents {
  explicit Extents(const AttentionLayout& layout)
      : head_size(layout.head_size),
        words(round_up(head_size, kElements<WordOf<T>>) / kElements<WordOf<T>>),
        width(round_up(head_size, kBlockColumns)) {}
  std::int64_t head_size, words, width;
};

// Elements that share a word; for f32 the first is the word.
inline float word_of(float first, float) {
  return first;
}
inline Pair word_of(BFloat16 first, BFloat16 second) {
  return first.bits | static_cast<Pair>(second.bits) << 16;
}

// Panels [words, kPanel] of so many rows each, words along the head; missing rows are zero.
template <std::int64_t kPanel, class T>
void pack_along_head(HeadRows<const T> from, std::int64_t rows, const Extents<T>& e,
                     WordOf<T>* to) {
  constexpr std::int64_t kInWord = kElements<WordOf<T>>;
  for (std::int64_t first = 0; first < rows; first += kPanel, to += e.words * kPanel) {
    const std::int64_t here = std::min(kPanel, rows - first);
    for (std::int64_t r = 0; r < here; ++r) {
      expect_row(from, first + r + kRowsAhead, e.head_size);
      const T* row = from.row(first + r);
      const std::int64_t whole = e.head_size / kInWord;
      for (std::int64_t i = 0; i < whole; ++i)
        to[i * kPanel + r] = word_of(row[kInWord * i], row[kInWord * i + kInWord - 1]);
      if (whole < e.words) to[whole * kPanel + r] = word_of(row[e.head_size - 1], T{});
    }
    if (here == kPanel) continue;
    for (std::int64_t i = 0; i < e.words; ++i)
      std::fill(to + i * kPanel + here, to + (i + 1) * kPanel, WordOf<T>{});
  }
}

// Panels [padded rows, 32] of so many columns each, words along the rows; what is missing is zero.
template <class T>
void pack_along_rows(HeadRows<const T> from, std::int64_t rows, std::int64_t padded,
                     const Extents<T>& e, WordOf<T>* to) {
  constexpr std::int64_t kInWord = kElements<WordOf<T>>;
  const std::int64_t panel = padded / kInWord * kBlockColumns;
  std::fill_n(to, padded / kInWord * e.width, WordOf<T>{});
  for (std::int64_t r = 0; r < rows; r += kInWord) {
    for (std::int64_t i = 0; i < kInWord; ++i) expect_row(from, r + i + kRowsAhead, e.head_size);
    const T* row = from.row(r);
    const T* last = r + kInWord <= rows ? from.row(r + kInWord - 1) : nullptr;
    for (std::int64_t first = 0; first < e.head_size; first += kBlockColumns) {
      WordOf<T>* const out = to + first / kBlockColumns * panel + r / kInWord * kBlockColumns;
      const std::int64_t here = std::min(kBlockColumns, e.head_size - first);
      for (std::int64_t d = 0; d < here; ++d)
        out[d] = word_of(row[first + d], last ? last[first + d] : T{});
    }
  }
}

}  // namespace lodestone::kernels::avx512
