// Any picture format to any other, at any size, turned and mirrored.
#pragma once

#include "convert/colour.hpp"
#include "convert/orient.hpp"
#include "convert/picture.hpp"
#include "convert/scale.hpp"

namespace spike {

struct Conversion {
    Colour colour;
    Scaling scaling = Scaling::area;
    Orientation orientation;
};

// Scales `in` to the size of `out`, converts it and turns it, strip by strip, so that nothing between the two is larger
// than the cache. `in` and `out` must not overlap. Chroma is the mean of the pixels that share it, and is repeated for
// each of them; it is centred between them.
void convert_picture(const PictureIn& in, const PictureOut& out, const Conversion& conversion);

}  // namespace spike
