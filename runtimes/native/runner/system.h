// What Linux tells of the machine and of this process.
#pragma once

#include <cstdint>
#include <string>

namespace kaprune::system {

// A JSON object of the files, by their path, that describe the processor and its condition.
std::string files();

// Cores that this process may use, and those that the machine has.
struct Cores {
  long usable;
  long present;
};

Cores cores();

// A JSON object: "machine" as `uname -m` has it, "cores" that may be used, "cores_present", "memory_bytes", "system".
std::string about();

// Most physical memory, in bytes, that this process has held at a time.
int64_t peak_memory();

}  // namespace kaprune::system
