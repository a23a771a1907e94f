#include "tests/gpu/emulator/shadow_memory.h"

#include <algorithm>

namespace lodestone::ptx {

void ShadowMemory::turn_to(std::uint64_t page) {
  const std::uint64_t number = page / kPagesPerTable;
  auto table = std::find_if(tables_.begin(), tables_.end(),
                            [number](const Table& known) { return known.number == number; });
  if (table == tables_.end()) {
    tables_.push_back({number, std::vector<Page>(kPagesPerTable)});
    table = tables_.end() - 1;
  }
  Page& cells = table->pages[page % kPagesPerTable];
  if (cells == nullptr) cells = std::make_unique<ShadowCell[]>(kPageBytes / kGranule);
  page_ = cells.get();
  page_number_ = page;
}

void ShadowMemory::clear() {
  tables_.clear();
  page_number_ = std::numeric_limits<std::uint64_t>::max();
  page_ = nullptr;
}

}  // namespace lodestone::ptx
