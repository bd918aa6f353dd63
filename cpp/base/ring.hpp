// A queue of samples between two threads.
//
// Contract: one thread pushes, one thread pops; each may be a real-time thread, for nothing here waits or allocates.
// Either side may read the counters. `clear` belongs to the thread that pops.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>
#include <vector>

namespace spike {

class Ring {
  public:
    // Throws std::invalid_argument for a capacity of 0.
    explicit Ring(std::size_t capacity_samples);

    // Queues as many samples as fit and returns how many did; the others count as overrun.
    std::size_t push(std::span<const float> samples) noexcept;

    // Fills `samples`, with zeros behind what was there, and returns how many were; the zeros count as underrun.
    std::size_t pop(std::span<float> samples) noexcept;

    void clear() noexcept;

    std::size_t capacity() const noexcept { return samples_.size(); }
    std::size_t available() const noexcept;
    std::size_t overruns() const noexcept { return overruns_.load(std::memory_order_relaxed); }
    std::size_t underruns() const noexcept { return underruns_.load(std::memory_order_relaxed); }

  private:
    std::vector<float> samples_;
    // Positions count all samples ever, so that full and empty differ. Each is written by one side only, and kept on a
    // cache line of its own.
    alignas(64) std::atomic<std::size_t> written_{0};
    alignas(64) std::atomic<std::size_t> read_{0};
    std::atomic<std::size_t> overruns_{0}, underruns_{0};
};

}  // namespace spike
