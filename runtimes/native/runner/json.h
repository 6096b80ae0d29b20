// JSON, as far as the runner writes it.
#pragma once

#include <cmath>
#include <cstdio>
#include <string>

namespace kaprune::json {

inline std::string quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char character : text) {
    char escaped[8] = {character};
    if (static_cast<unsigned char>(character) < 0x20 || character == '"' || character == '\\') {
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(character));
    }
    quoted += escaped[0] == '\\' ? escaped : std::string(1, character);
  }
  return quoted + '"';
}

// With as many digits as give the very same float again; what is no number as Python's json module reads it.
inline std::string number(float value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  char digits[32];
  std::snprintf(digits, sizeof(digits), "%.9g", value);
  return digits;
}

// Elements, each as `write` gives it, between commas.
template <class Elements, class Write>
std::string join(const Elements& elements, Write write) {
  std::string joined;
  for (const auto& element : elements) {
    if (!joined.empty()) joined += ", ";
    joined += write(element);
  }
  return joined;
}

}  // namespace kaprune::json
