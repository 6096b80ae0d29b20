// What Linux tells of the machine and of this process.
#pragma once

#include <cstdint>
#include <string>

namespace kaprune::system {

// A JSON object of the files, by their path, that describe the processor and its condition.
std::string files();

// A JSON object: "machine" as `uname -m` has it, "cores", "memory_bytes", "system".
std::string about();

// Most physical memory, in bytes, that this process has held at a time.
int64_t peak_memory();

}  // namespace kaprune::system
