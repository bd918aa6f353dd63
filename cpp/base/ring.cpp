#include "base/ring.hpp"

#include <algorithm>
#include <stdexcept>

namespace spike {

Ring::Ring(std::size_t capacity_samples) : samples_(capacity_samples) {
    if (capacity_samples == 0) throw std::invalid_argument("capacity_samples must be above 0");
}

std::size_t Ring::available() const noexcept {
    return written_.load(std::memory_order_acquire) - read_.load(std::memory_order_acquire);
}

std::size_t Ring::push(std::span<const float> samples) noexcept {
    const std::size_t written = written_.load(std::memory_order_relaxed);
    const std::size_t room = capacity() - (written - read_.load(std::memory_order_acquire));
    const std::size_t count = std::min(room, samples.size());
    const std::size_t at = written % capacity(), head = std::min(count, capacity() - at);
    std::copy_n(samples.begin(), head, samples_.begin() + static_cast<std::ptrdiff_t>(at));
    std::copy_n(samples.begin() + static_cast<std::ptrdiff_t>(head), count - head, samples_.begin());
    written_.store(written + count, std::memory_order_release);
    if (count < samples.size()) overruns_.fetch_add(samples.size() - count, std::memory_order_relaxed);
    return count;
}

std::size_t Ring::pop(std::span<float> samples) noexcept {
    const std::size_t read = read_.load(std::memory_order_relaxed);
    const std::size_t count = std::min(written_.load(std::memory_order_acquire) - read, samples.size());
    const std::size_t at = read % capacity(), head = std::min(count, capacity() - at);
    std::copy_n(samples_.begin() + static_cast<std::ptrdiff_t>(at), head, samples.begin());
    std::copy_n(samples_.begin(), count - head, samples.begin() + static_cast<std::ptrdiff_t>(head));
    std::fill(samples.begin() + static_cast<std::ptrdiff_t>(count), samples.end(), 0.0f);
    read_.store(read + count, std::memory_order_release);
    if (count < samples.size()) underruns_.fetch_add(samples.size() - count, std::memory_order_relaxed);
    return count;
}

void Ring::clear() noexcept { read_.store(written_.load(std::memory_order_acquire), std::memory_order_release); }

}  // namespace spike
