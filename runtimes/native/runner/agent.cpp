#include "runner/agent.h"

#include <poll.h>
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <system_error>
#include <vector>

#include "runner/json.h"
#include "runner/process.h"
#include "runner/sha256.h"
#include "runner/worker.h"

namespace kaprune {

namespace {

namespace fs = std::filesystem;

constexpr unsigned kLongestSilence = 60;  // seconds
constexpr size_t kPiece = 1 << 20;

// Outlives this process and leads the group of the models' processes; when this one ends, it ends them and removes
// the folder.
class Sweeper {
 public:
  explicit Sweeper(const fs::path& folder) {
    int ends[2];
    if (pipe(ends) != 0 || (id_ = fork()) < 0) throw std::system_error(errno, std::generic_category());
    if (id_ == 0) {
      setpgid(0, 0);
      for (const int number : {SIGHUP, SIGINT, SIGTERM}) signal(number, SIG_IGN);
      for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, ends[1]}) close(file);
      char byte;
      while (read(ends[0], &byte, 1) > 0) {
      }
      kill(0, SIGTERM);
      std::error_code ignored;
      fs::remove_all(folder, ignored);
      std::_Exit(0);
    }
    setpgid(id_, id_);
    close(ends[0]);
    life_ = ends[1];
  }

  ~Sweeper() {
    close(life_);
    waitpid(id_, nullptr, 0);
  }

  pid_t group() const { return id_; }

 private:
  pid_t id_ = 0;
  int life_ = -1;
};

// Words of a request, between spaces, with what would not be one character of a word as %XX.
std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> words(1);
  for (size_t place = 0; place < line.size(); ++place) {
    if (line[place] == ' ') {
      words.emplace_back();
    } else if (line[place] == '%') {
      words.back() += static_cast<char>(std::stoi(line.substr(place + 1, 2), nullptr, 16));
      place += 2;
    } else {
      words.back() += line[place];
    }
  }
  return words;
}

void answer(const std::string& json) { std::cout << json << std::endl; }

std::string sha256_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return "";
  Sha256 sum;
  std::vector<char> piece(kPiece);
  while (file.read(piece.data(), piece.size()), file.gcount() > 0) sum.update(piece.data(), file.gcount());
  return sum.hexadecimal();
}

class Agent {
 public:
  Agent(fs::path folder, fs::path files) : folder_(std::move(folder)), files_(std::move(files)), sweeper_(folder_) {}

  void serve() {
    utsname names{};
    uname(&names);
    answer("{\"machine\": " + json::quote(names.machine) + ", \"folder\": " + json::quote(folder_) +
           ", \"free\": " + std::to_string(fs::space(folder_).available) + "}");
    while (listen()) {
      for (size_t end; (end = heard_.find('\n')) != std::string::npos;) {
        const std::vector<std::string> words = split(heard_.substr(0, end));
        heard_.erase(0, end + 1);
        try {
          obey(words);
        } catch (const std::system_error& error) {
          answer("{\"problem\": " + json::quote(error.code().message()) + "}");
        }
      }
    }
  }

 private:
  // Waits for anything to come, and passes on what comes from processes. Returns false at the end of the requests.
  bool listen() {
    std::vector<pollfd> files{{STDIN_FILENO, POLLIN, 0}};
    for (const auto& [number, process] : processes_) {
      files.push_back({process.output(), POLLIN, 0});
      files.push_back({process.errors(), POLLIN, 0});
    }
    if (poll(files.data(), files.size(), -1) < 0) return errno == EINTR;
    if (files[0].revents != 0 && !hear()) return false;
    size_t place = 1;
    for (auto next = processes_.begin(); next != processes_.end(); place += 2) {
      const auto current = next++;
      auto& [number, process] = *current;
      const std::string name = "{\"process\": " + std::to_string(number);
      if (files[place + 1].revents != 0) process.read_errors();
      const auto pass_on = [&](const std::string& line) { answer(name + ", \"line\": " + json::quote(line) + "}"); };
      if (files[place].revents == 0 || process.read_output(pass_on)) continue;
      while (process.read_errors()) {
      }
      const int code = process.wait();
      answer(name + ", \"code\": " + std::to_string(code) + ", \"error\": " + json::quote(process.last_line()) + "}");
      processes_.erase(current);
    }
    return true;
  }

  // Reads what has come; false at the end.
  bool hear() {
    std::vector<char> piece(kPiece);
    alarm(kLongestSilence);  // ends this process, and the sweeper does the rest
    const ssize_t count = read(STDIN_FILENO, piece.data(), piece.size());
    if (count > 0) heard_.append(piece.data(), count);
    return count > 0;
  }

  void obey(const std::vector<std::string>& words) {
    const std::string& verb = words[0];
    if (verb == "missing") return missing(words);
    if (verb == "put") return put(words.at(1), std::stoull(words.at(2)));
    if (verb == "place") return place(words);
    if (verb == "nothing") return;
    const int number = std::stoi(words.at(1));
    if (verb == "start") return start(number, words.at(2), std::strtol(words.at(3).c_str(), nullptr, 10));
    const auto found = processes_.find(number);
    if (found == processes_.end()) return;  // It has ended, of which the other side hears.
    if (verb == "write") found->second.write(words.at(2));
    if (verb == "end") found->second.kill();
  }

  void missing(const std::vector<std::string>& words) const {
    std::vector<std::string> lacking;
    for (size_t index = 1; index < words.size(); ++index) {
      if (sha256_of(files_ / words[index]) != words[index]) lacking.push_back(words[index]);
    }
    answer("{\"missing\": [" + json::join(lacking, json::quote) + "]}");
  }

  void put(const std::string& sha256, size_t size) {
    const fs::path path = folder_ / "partial";
    std::error_code problem;
    {
      std::ofstream file(path, std::ios::binary);
      file.rdbuf()->pubsetbuf(nullptr, 0);
      while (size > 0) {
        if (heard_.empty() && !hear()) return;
        const size_t part = std::min(size, heard_.size());
        // Where the disk is full, the rest is to be read all the same.
        if (!problem && !file.write(heard_.data(), part)) problem = {errno, std::generic_category()};
        heard_.erase(0, part);
        size -= part;
      }
    }
    if (problem) {
      fs::remove(path);
      throw std::system_error(problem);
    }
    fs::rename(path, files_ / sha256);
    answer("{}");
  }

  void place(const std::vector<std::string>& words) const {
    for (size_t index = 2; index + 1 < words.size(); index += 2) {
      const fs::path path = folder_ / words[1] / words[index + 1];
      fs::create_directories(path.parent_path());
      std::error_code failed;
      fs::create_hard_link(files_ / words[index], path, failed);
      if (failed) fs::copy_file(files_ / words[index], path);  // Android forbids links.
    }
    answer("{}");
  }

  void start(int number, const std::string& model, long threads) {
    processes_.emplace(number, Process(sweeper_.group(), [&] {
                         if (chdir(folder_.c_str()) != 0) return 1;
                         setenv("TMPDIR", folder_.c_str(), 1);
                         return serve_model(model, threads);
                       }));
  }

  const fs::path folder_, files_;
  const Sweeper sweeper_;
  std::map<int, Process> processes_;
  std::string heard_;
};

}  // namespace

int serve_connection(const std::string& folder, const std::string& files) {
  signal(SIGPIPE, SIG_IGN);
  alarm(kLongestSilence);
  try {
    Agent(folder, files).serve();
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
  return 0;
}

}  // namespace kaprune
