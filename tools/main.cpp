#include <malloc.h>

#include "engine/memory/caching_allocator.h"
#include "tools/commands/commands.h"

namespace {

// By default the C library gives blocks above 32 MiB back to the system each time; what does not
// pass through our allocator (the product library's buffers, vectors) would be page faults anew.
void keep_memory() {
  constexpr int kLarge = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kLarge);
  mallopt(M_TRIM_THRESHOLD, kLarge);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace lodestone::tools;
  keep_memory();
  const lodestone::Device cpu = lodestone::Device::cpu();
  lodestone::CachingAllocator cache(lodestone::allocator(cpu));
  const lodestone::AllocatorScope scope(cpu, cache);
  CommandLine line;
  add_doctor(line);
  add_simulate(line);
  add_vocab(line);
  add_tokenize(line);
  add_priors(line);
  add_pretrain(line);
  add_inspect(line);
  add_import(line);
  add_export(line);
  add_infer(line);
  add_embed(line);
  add_evaluate(line);
  add_bench(line);
  add_report(line);
  return line.run(argc, argv);
}
