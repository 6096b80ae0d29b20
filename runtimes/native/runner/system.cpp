#include "runner/system.h"

#include <glob.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "runner/json.h"

namespace kaprune::system {

namespace {

// What kaprune_runtime.machine and kaprune_runtime.condition read.
const char* const kFiles[] = {
    "/proc/cpuinfo",
    "/proc/device-tree/model",
    "/sys/class/hwmon/hwmon*/name",
    "/sys/class/hwmon/hwmon*/temp*_input",
    "/sys/class/thermal/cooling_device*/cur_state",
    "/sys/class/thermal/cooling_device*/type",
    "/sys/class/thermal/thermal_zone*/temp",
    "/sys/class/thermal/thermal_zone*/type",
    "/sys/devices/platform/soc/soc:firmware/get_throttled",
    "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq",
    "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
    "/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count",
};
constexpr size_t kMostBytes = 8192;  // the first core's part of cpuinfo

std::string read(const char* path) {
  std::string content(kMostBytes, '\0');
  std::ifstream file(path);
  file.read(content.data(), content.size());
  content.resize(file.gcount());
  return content;
}

}  // namespace

std::string files() {
  std::vector<std::string> entries;
  for (const char* pattern : kFiles) {
    glob_t found{};
    if (glob(pattern, 0, nullptr, &found) == 0) {
      for (size_t index = 0; index < found.gl_pathc; ++index) {
        const char* path = found.gl_pathv[index];
        entries.push_back(json::quote(path) + ": " + json::quote(read(path)));
      }
    }
    globfree(&found);
  }
  return "{" + json::join(entries, [](const std::string& entry) { return entry; }) + "}";
}

Cores cores() {
  const long present = sysconf(_SC_NPROCESSORS_ONLN);
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return {sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : present, present};
}

std::string about() {
  utsname names{};
  uname(&names);
  const Cores found = cores();
  const int64_t memory = int64_t{sysconf(_SC_PAGE_SIZE)} * sysconf(_SC_PHYS_PAGES);
  return "{\"machine\": " + json::quote(names.machine) + ", \"cores\": " + std::to_string(found.usable) +
         ", \"cores_present\": " + std::to_string(found.present) +
         ", \"memory_bytes\": " + std::to_string(memory) + ", \"system\": " +
         json::quote(std::string(names.sysname) + "-" + names.release + "-" + names.machine) + "}";
}

int64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word != "VmHWM:") continue;
    int64_t kilobytes = 0;
    status >> kilobytes;
    return kilobytes * 1024;
  }
  return 0;
}

}  // namespace kaprune::system
