// Machine code from relocatable ELF objects, as LLVM makes them.
#pragma once

#include <span>
#include <string>

namespace gleed {

// Maps a little-endian ELF64 relocatable for this machine, which may refer to nothing outside
// itself, and returns the address of a function in it; null with `error` set for anything
// malformed. The code is never writable and executable at once, and stays mapped until the process
// ends.
void* load_object(std::span<const char> bytes, const std::string& symbol, std::string& error);

}  // namespace gleed
