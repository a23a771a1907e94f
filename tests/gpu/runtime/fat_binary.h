#pragma once
// The container in which nvcc puts PTX and machine code.
#include <string>

namespace lodestone::ptx {

// The PTX text behind the pointer that a program registers (__cudaRegisterFatBinary).
// Throws kBadInput where there is none, or where it is compressed.
std::string ptx_of_fat_binary(const void* wrapper);

}  // namespace lodestone::ptx
