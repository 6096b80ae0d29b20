#include "runner/process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace kaprune {

namespace {

constexpr size_t kErrorBytes = 4096;

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category());
  return ends;
}

// Appends what has come; returns whether there may be more.
bool read_some(int file, std::string& text) {
  char piece[1 << 16];
  const ssize_t count = read(file, piece, sizeof(piece));
  if (count > 0) text.append(piece, count);
  return count > 0;
}

}  // namespace

Process::Process(pid_t group, const std::function<int()>& body) {
  const auto [in, to] = make_pipe();
  const auto [from, out] = make_pipe();
  const auto [errors, complaints] = make_pipe();
  id_ = fork();
  if (id_ < 0) throw std::system_error(errno, std::generic_category());
  if (id_ == 0) {
    setpgid(0, group);
    signal(SIGPIPE, SIG_DFL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(complaints, STDERR_FILENO);
    // Whatever else is open belongs to the agent and to its other processes.
    for (int file = STDERR_FILENO + 1; file <= std::max({in, to, from, out, errors, complaints}); ++file) close(file);
    std::_Exit(body());
  }
  for (const int file : {in, out, complaints}) close(file);
  input_ = to;
  output_ = from;
  errors_ = errors;
}

Process::Process(Process&& other) noexcept
    : id_(other.id_),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      errors_(std::exchange(other.errors_, -1)) {}

Process::~Process() {
  for (const int file : {input_, output_, errors_}) {
    if (file >= 0) close(file);
  }
}

void Process::write(const std::string& text) const {
  size_t done = 0;
  ssize_t count = 0;
  while (done < text.size() && (count = ::write(input_, text.data() + done, text.size() - done)) > 0) done += count;
}

void Process::kill() const { ::kill(id_, SIGKILL); }

bool Process::read_output(const std::function<void(const std::string&)>& on_line) {
  const bool more = read_some(output_, line_);
  for (size_t end; (end = line_.find('\n')) != std::string::npos; line_.erase(0, end + 1)) {
    on_line(line_.substr(0, end + 1));
  }
  return more;
}

bool Process::read_errors() {
  const bool more = read_some(errors_, error_text_);
  if (error_text_.size() > kErrorBytes) error_text_.erase(0, error_text_.size() - kErrorBytes);
  return more;
}

int Process::wait() {
  int status = 0;
  waitpid(id_, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

std::string Process::last_line() const {
  const std::string text = error_text_.substr(0, error_text_.find_last_not_of(" \t\r\n") + 1);
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace kaprune
