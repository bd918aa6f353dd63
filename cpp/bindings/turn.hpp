// Lets one thread at a time use an object that Python programs share.
//
// Contract: nobody waits for the lock of an object while holding the GIL, since who holds the lock may be waiting for
// the GIL. So a thread that finds the lock taken gives the GIL up until it has both.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace spike::bindings {

class Lock {
  public:
    Lock() = default;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

  private:
    friend class Turn;
    std::mutex mutex_;
    std::atomic<std::thread::id> owner_;
};

// Begins and ends with the GIL held; it may be given up meanwhile.
class Turn {
  public:
    // Throws std::runtime_error where this thread has its turn already: code that runs while memory is taken or freed
    // can come back to the object.
    explicit Turn(Lock& lock) : lock_(&lock) {
        if (lock.owner_ == std::this_thread::get_id())
            throw std::runtime_error("the object is in use already, by this very thread");
        if (!lock.mutex_.try_lock()) {
            const pybind11::gil_scoped_release released;
            lock.mutex_.lock();
        }
        lock.owner_ = std::this_thread::get_id();
    }
    ~Turn() {
        lock_->owner_ = std::thread::id();
        lock_->mutex_.unlock();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

  private:
    Lock* lock_;
};

// Does `work`, which touches nothing of Python's, and lets other threads of Python run meanwhile where it is long.
template <typename Work>
void without_gil_where(bool is_long, Work&& work) {
    if (is_long) {
        const pybind11::gil_scoped_release released;
        work();
    } else {
        work();
    }
}

}  // namespace spike::bindings
