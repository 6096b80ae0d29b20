// kaprune-runner FOLDER FILES: see serve_connection.
#include <cstdlib>
#include <iostream>

#include "runner/agent.h"

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "error: `kaprune-edge bench --device` starts this program on a device" << std::endl;
    return 2;
  }
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);  // that ONNX Runtime reads while it is loaded
  return kaprune::serve_connection(arguments[1], arguments[2]);
}
