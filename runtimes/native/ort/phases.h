// Several steps of an operator with one hand-over to the session's threads for all of them.
//
// A phase is a number of chains; a chain is a sequence of stages, each of a number of tasks. A thread takes up a chain
// of its own, so that what one stage leaves for the next stays in that core's caches; threads that find none left help
// with those of others. Waiting then takes a fraction of a microsecond, a parallel_for for each stage many.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <thread>

#include "ort/operator.h"

namespace kaprune::ort {

// Bound of `Task::worker`.
inline size_t most_workers() {
  static const size_t count = std::max(1u, std::thread::hardware_concurrency());
  return count;
}

struct Task {
  size_t chain;
  size_t stage;
  size_t index;   // in the stage
  size_t slot;    // below min(chains, most_workers()): belongs to the chain from its first task to its last
  size_t worker;  // the one that runs this task, and no other at the same time
};

// Calls run(task) for every task of every chain; a stage begins when the one before is done. For one use; `run` must
// not throw.
template <size_t Stages, class Run>
class Phase {
 public:
  // stages: number of tasks of each stage of a chain.
  Phase(size_t chains, const std::array<size_t, Stages>& stages, const Run& run)
      : chains_(new Chain[chains]), count_(chains), run_(run) {
    for (size_t stage = 0; stage < Stages; ++stage) starts_[stage + 1] = starts_[stage] + stages[stage];
  }

  void work(size_t worker) {
    size_t slot = kNone;
    for (size_t index = next_chain_++; index < count_; index = next_chain_++) {
      if (slot == kNone) slot = next_slot_++;
      chains_[index].slot.store(slot, std::memory_order_release);
      work_on(index, worker);
    }
    for (size_t index = count_; index-- > 0;) work_on(index, worker);
    for (size_t index = 0; index < count_; ++index) reach(chains_[index], starts_[Stages]);
  }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  struct alignas(64) Chain {
    std::atomic<size_t> slot{kNone};
    std::atomic<size_t> taken{0};
    std::atomic<size_t> done{0};
  };

  void work_on(size_t index, size_t worker) {
    Chain& chain = chains_[index];
    size_t stage = 0;
    for (size_t task = chain.taken++; task < starts_[Stages]; task = chain.taken++) {
      while (task >= starts_[stage + 1]) ++stage;
      reach(chain, starts_[stage]);
      wait([&] { return chain.slot.load(std::memory_order_acquire) != kNone; });
      run_(Task{index, stage, task - starts_[stage], chain.slot.load(std::memory_order_relaxed), worker});
      chain.done.fetch_add(1, std::memory_order_acq_rel);
    }
  }

  static void reach(const Chain& chain, size_t tasks) {
    wait([&] { return chain.done.load(std::memory_order_acquire) >= tasks; });
  }

  // Somebody is at work on what is missing: tasks are taken in order, and the first unfinished one waits for nothing.
  template <class Condition>
  static void wait(const Condition& condition) {
    constexpr int kPatience = 4096;
    for (int turn = 0; !condition(); ++turn) {
      if (turn > kPatience) std::this_thread::yield();
    }
  }

  std::unique_ptr<Chain[]> chains_;
  size_t count_;
  const Run& run_;
  std::array<size_t, Stages + 1> starts_{};
  std::atomic<size_t> next_chain_{0};
  std::atomic<size_t> next_slot_{0};
};

// Runs phases one after the other: on the session's threads if there is more than one tile, since handing out parts of
// one takes longer than they do where the system has put two threads on one core.
template <class... Phases>
void run(const KernelContext& context, size_t tiles, Phases&... phases) {
  context.parallel_for(tiles > 1 ? most_workers() : 1, [&](size_t worker) { (phases.work(worker), ...); });
}

}  // namespace kaprune::ort
