// A process that holds one model, runs it on token ids and times it, as lines of JSON ask for.
#pragma once

#include <string>

namespace kaprune {

// Writes `{"load_seconds", "onnxruntime", "kernels", "about", "files"}` first. A request is one flat list of integers,
// `[runs, rows, columns, ids..., mask..., types...]`: run once, and then `runs` times for timing. Its answer is
// `{"logits": [[...], ...], "nanoseconds": [...], "peak_bytes", "files"}`.
//
// Ends with standard input. Returns the exit code: 2 where the model cannot be loaded, 1 where it fails later.
int serve_model(const std::string& path, long threads);

}  // namespace kaprune
