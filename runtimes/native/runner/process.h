// A model's process, forked from this one, at whose pipes the agent listens.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace kaprune {

class Process {
 public:
  // Runs `body` in a process of a group; what it returns is the exit code. Throws std::system_error.
  Process(pid_t group, const std::function<int()>& body);
  ~Process();
  Process(Process&& other) noexcept;
  Process(const Process&) = delete;

  int output() const { return output_; }
  int errors() const { return errors_; }

  void write(const std::string& text) const;
  void kill() const;

  // Reads what has come on one of the pipes, calling back with each whole line, end included. Returns whether there
  // may be more.
  bool read_output(const std::function<void(const std::string&)>& on_line);
  bool read_errors();

  // Waits for its end. Returns the exit code, or the negative number of the signal that killed it.
  int wait();

  // Of what it wrote on standard error.
  std::string last_line() const;

 private:
  pid_t id_;
  int input_, output_, errors_;
  std::string line_, error_text_;
};

}  // namespace kaprune
