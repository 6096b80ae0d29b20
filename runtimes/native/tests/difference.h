// The largest difference between what a test expects and what it found.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace kaprune {

class Difference {
 public:
  // NaN differs from every number: `std::max` alone would drop it.
  void add(double expected, double found) {
    if (expected == found || (std::isnan(expected) && std::isnan(found))) return;
    const double difference = std::abs(expected - found);
    largest_ = std::isnan(difference) ? std::numeric_limits<double>::infinity() : std::max(largest_, difference);
  }

  double largest() const { return largest_; }

 private:
  double largest_ = 0;
};

}  // namespace kaprune
