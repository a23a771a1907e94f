// Entry of libFuzzer, run by tools/fuzz_ptx.sh: any text is read and its kernels are decoded, or
// refused with an error that is not the interpreter's own.
#include "engine/core/error.h"
#include "tests/gpu/emulator/launch.h"

// The name is libFuzzer's. NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lodestone;
  try {
    const std::string text(data, data + size);
    ptx::GlobalMemory memory;
    const ptx::LoadedModule loaded(ptx::parse(text), memory);
    for (const ptx::Function& function : loaded.module().functions) {
      if (function.is_entry && function.is_defined) loaded.kernel(function.name);
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInternal) throw;
  }
  return 0;
}
