// The device's end of a connection where there is no Python; does what kaprune_runtime/agent.py does, and says how.
#pragma once

#include <string>

namespace kaprune {

// Serves the connection on standard input and output, until it ends or has been silent for a minute.
//
// `folder` is removed at the end, `files` keeps copies under their sha256. A process is a model:
// `start NUMBER FOLDER THREADS`. Returns the exit code.
int serve_connection(const std::string& folder, const std::string& files);

}  // namespace kaprune
