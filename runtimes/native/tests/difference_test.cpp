// What the other tests compare with sees NaN and infinity, wherever they are among numbers that agree.
#include "tests/difference.h"

#include <cstdio>
#include <vector>

namespace {

double difference(const std::vector<double>& expected, const std::vector<double>& found) {
  kaprune::Difference difference;
  for (size_t i = 0; i < expected.size(); ++i) difference.add(expected[i], found[i]);
  return difference.largest();
}

}  // namespace

int main() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  struct Case {
    const char* name;
    std::vector<double> expected, found;
    double largest;
  };
  const Case cases[] = {
      {"equal numbers", {1, nan, infinity}, {1, nan, infinity}, 0},
      {"a difference", {1, 2}, {1, 2.5}, 0.5},
      {"NaN first", {1, 2, 3}, {nan, 2, 3.5}, infinity},
      {"NaN last", {1, 2}, {1.5, nan}, infinity},
      {"a number in place of NaN", {nan, 2}, {1, 2}, infinity},
      {"infinity of the other sign", {infinity, 2}, {-infinity, 2}, infinity},
  };
  int failures = 0;
  for (const Case& each : cases) {
    const double largest = difference(each.expected, each.found);
    if (largest == each.largest) continue;
    std::printf("%s: %g in place of %g\n", each.name, largest, each.largest);
    ++failures;
  }
  return failures == 0 ? 0 : 1;
}
