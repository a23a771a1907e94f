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
  namespace tools = lodestone::tools;
  keep_memory();
  const lodestone::Device cpu = lodestone::Device::cpu();
  lodestone::CachingAllocator cache(lodestone::allocator(cpu));
  const lodestone::AllocatorScope scope(cpu, cache);
  tools::CommandLine line;
  tools::add_doctor(line);
  tools::add_simulate(line);
  tools::add_vocab(line);
  tools::add_tokenize(line);
  tools::add_priors(line);
  tools::add_pretrain(line);
  tools::add_inspect(line);
  tools::add_import(line);
  tools::add_export(line);
  tools::add_infer(line);
  tools::add_embed(line);
  tools::add_evaluate(line);
  tools::add_bench(line);
  tools::add_report(line);
  return line.run(argc, argv);
}
