// Counters of RTP that wrap, as counters that do not.
#pragma once

#include <cstdint>
#include <type_traits>

namespace spike {

// Of all values that a counter may stand for, the one that is nearest to the newest so far.
template <typename Counter>
class Unwrapper {
    static_assert(std::is_unsigned_v<Counter>);

  public:
    std::int64_t peek(Counter value) const noexcept {
        if (!begun_) return value;
        return newest_ +
               static_cast<std::make_signed_t<Counter>>(static_cast<Counter>(value - static_cast<Counter>(newest_)));
    }

    std::int64_t unwrap(Counter value) noexcept {
        const std::int64_t unwrapped = peek(value);
        if (!begun_ || unwrapped > newest_) newest_ = unwrapped;
        begun_ = true;
        return unwrapped;
    }

  private:
    std::int64_t newest_ = 0;
    bool begun_ = false;
};

}  // namespace spike
