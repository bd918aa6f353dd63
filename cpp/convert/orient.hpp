// Turned and mirrored pictures.
#pragma once

#include "convert/picture.hpp"

namespace spike {

struct Orientation {
    int clockwise_degrees = 0;  // 0, 90, 180 or 270
    bool mirrored = false;      // left to right, after it was turned

    bool upright() const noexcept { return clockwise_degrees == 0 && !mirrored; }
    bool on_its_side() const noexcept { return clockwise_degrees == 90 || clockwise_degrees == 270; }
};

// Puts a strip, whose first row is the `first` of a picture, where its pixels belong in the turned picture `out` of the
// same format. Not for yuyv, whose pixels share bytes.
void place_strip(const PictureIn& strip, std::size_t first, const PictureOut& out,
                 const Orientation& orientation) noexcept;

}  // namespace spike
