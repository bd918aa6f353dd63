// The frame of FFmpeg inside an av.VideoFrame. PyAV makes an object for each plane whenever they are asked for, which
// takes longer than all that conversion does besides; so where it is known how PyAV's frames lie in memory they are
// read where they are.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>

#include "convert/picture.hpp"

namespace spike::bindings {

// The first members of libavutil's AVFrame, whose order is part of its binary interface.
struct AvFrame {
    std::uint8_t* data[8];
    int line_size[8];
    std::uint8_t** extended_data;
    int width, height, samples, format;
};

// Null for what is no av.VideoFrame, and for those of a PyAV that is not laid out as expected: the first frame is
// compared with what PyAV itself says of one.
const AvFrame* av_frame_of(pybind11::handle object);

// The format of such a frame; none where it is one that is not converted.
std::optional<PixelFormat> format_of(const AvFrame& frame);

}  // namespace spike::bindings
