#include "runner/worker.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <optional>

#include "ort/operator.h"
#include "runner/json.h"
#include "runner/model.h"
#include "runner/system.h"

namespace kaprune {

namespace {

using Clock = std::chrono::steady_clock;

// As kaprune_runtime.latency: caches fill again, and threads find their cores.
constexpr std::chrono::milliseconds kWarmUp{100};

struct Request {
  int64_t runs;
  Batch batch;
};

Request read_request(const std::string& line) {
  std::vector<int64_t> numbers;
  const char* place = line.c_str();
  while (*(place += std::strspn(place, "[, ]")) != '\0') {
    char* end = nullptr;
    numbers.push_back(std::strtoll(place, &end, 10));
    if (end == place) throw ort::Error("a request is a list of integers");
    place = end;
  }
  if (numbers.size() < 3) throw ort::Error("a request has at least three integers");
  const auto [rows, columns] = std::pair(numbers[1], numbers[2]);
  const size_t ids = numbers.size() / 3 - 1;
  if (rows < 1 || columns < 1 || numbers.size() % 3 != 0 || ids % columns != 0 || ids / columns != size_t(rows)) {
    throw ort::Error("a request has three inputs of rows x columns integers");
  }
  Request request{numbers[0], {rows, columns, {}}};
  for (size_t input = 0; input < 3; ++input) {
    const auto first = numbers.begin() + 3 + input * ids;
    request.batch.inputs[input].assign(first, first + ids);
  }
  return request;
}

std::string logits(const std::vector<std::vector<float>>& rows) {
  return json::join(rows, [](const auto& row) { return "[" + json::join(row, json::number) + "]"; });
}

std::vector<int64_t> time(const Model& model, const Request& request) {
  std::vector<int64_t> nanoseconds;
  if (request.runs < 1) return nanoseconds;
  const auto start = Clock::now();
  while (Clock::now() < start + kWarmUp) model.run(request.batch);
  for (int64_t run = 0; run < request.runs; ++run) {
    const auto before = Clock::now();
    model.run(request.batch);
    nanoseconds.push_back(std::chrono::nanoseconds(Clock::now() - before).count());
  }
  return nanoseconds;
}

std::optional<Model> load(const std::string& path, long threads) {
  // As kaprune_runtime.processors says it.
  const system::Cores cores = system::cores();
  if (threads < 1 || threads > cores.usable) {
    const std::string most = cores.usable == 1 ? "1 thread" : "1 to " + std::to_string(cores.usable) + " threads";
    std::cerr << "error: ";
    if (cores.usable < cores.present) {
      std::cerr << "this process may use " << cores.usable << " of the machine's " << cores.present
                << " cores, by its affinity";
    } else {
      std::cerr << "the machine has " << cores.present << " cores";
    }
    std::cerr << "; give " << most << std::endl;
    return std::nullopt;
  }
  try {
    const auto start = Clock::now();
    Model model(path, static_cast<int>(threads));
    const std::chrono::duration<double> seconds = Clock::now() - start;
    std::cout << "{\"load_seconds\": " << seconds.count()
              << ", \"onnxruntime\": " << json::quote(model.runtime().version)
              << ", \"kernels\": " << json::quote(model.runtime().kernels) << ", \"about\": " << system::about()
              << ", \"files\": " << system::files() << "}" << std::endl;
    return model;
  } catch (const std::exception& error) {
    std::cerr << "error: cannot load the model: " << error.what() << std::endl;
    return std::nullopt;
  }
}

}  // namespace

int serve_model(const std::string& path, long threads) {
  const std::optional<Model> model = load(path, threads);
  if (!model) return 2;
  try {
    for (std::string line; std::getline(std::cin, line);) {
      const Request request = read_request(line);
      const std::string outputs = logits(model->run(request.batch));
      const std::string nanoseconds =
          json::join(time(*model, request), [](int64_t value) { return std::to_string(value); });
      std::cout << "{\"logits\": [" << outputs << "], \"nanoseconds\": [" << nanoseconds
                << "], \"peak_bytes\": " << system::peak_memory() << ", \"files\": " << system::files() << "}"
                << std::endl;
    }
  } catch (const std::exception& error) {
    std::cerr << "error: onnxruntime failed while running the model: " << error.what() << std::endl;
    return 1;
  }
  return 0;
}

}  // namespace kaprune
