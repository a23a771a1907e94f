#include "tests/gpu/emulator/opcode_table.h"

namespace lodestone::ptx {

void add_warpgroup_operations(OpcodeTable& /*table*/) {}

}  // namespace lodestone::ptx
