#include <pybind11/stl.h>

#include "bindings/bindings.hpp"
#include "bindings/framer.hpp"
#include "dsp/noise_suppressor.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

using Stage = Framed<NoiseSuppressor>;
using SharedWeights = std::optional<std::shared_ptr<const Weights>>;  // so that the stub says so

template <typename Sample>
Array<Sample> process(Stage& self, const Array<Sample>& in, const std::optional<Array<Sample>>& out) {
    require(in.ndim() == 1, "the samples must have shape (n,)");
    const auto count = static_cast<std::size_t>(in.size());
    Array<Sample> result = output_array(out, self.framer.due(count));
    self.framer.run(in.data(), static_cast<const Sample*>(nullptr), count, result.mutable_data(),
                    [&self](auto frame, auto, auto cleaned) { self.stage.process(frame, cleaned); });
    return result;
}

// Several streams in step: frames are collected for all at once.
struct Bank {
    explicit Bank(const NoiseSuppressor::Config& config)
        : stage(config), frames(stage.streams() * stage.frame_samples()) {}

    template <typename Sample>
    Array<Sample> process(const Array<Sample>& in, const std::optional<Array<Sample>>& given) {
        const std::size_t streams = stage.streams(), frame = stage.frame_samples();
        require(in.ndim() == 2 && static_cast<std::size_t>(in.shape(0)) == streams,
                "the samples must have shape (" + std::to_string(streams) + ", n)");
        const auto count = static_cast<std::size_t>(in.shape(1));
        const std::size_t due = (filled + count) / frame * frame;
        Array<Sample> out = output_array(given, streams, due);
        std::size_t made = 0;
        for (std::size_t at = 0; at < count;) {
            const std::size_t now = std::min(count - at, frame - filled);
            for (std::size_t s = 0; s < streams; ++s)
                std::transform(in.data() + s * count + at, in.data() + s * count + at + now,
                               frames.begin() + static_cast<std::ptrdiff_t>(s * frame + filled),
                               [](Sample sample) { return to_float(sample); });
            at += now;
            filled = (filled + now) % frame;
            if (filled != 0) continue;
            stage.process(frames, frames);
            for (std::size_t s = 0; s < streams; ++s)
                for (std::size_t n = 0; n < frame; ++n)
                    out.mutable_data()[s * due + made + n] = from_float<Sample>(frames[s * frame + n]);
            made += frame;
        }
        return out;
    }

    Array<float> speech_probability() const {
        Array<float> probabilities(static_cast<py::ssize_t>(stage.streams()));
        for (std::size_t s = 0; s < stage.streams(); ++s) probabilities.mutable_data()[s] = stage.speech_probability(s);
        return probabilities;
    }

    void reset() noexcept {
        stage.reset();
        filled = 0;
    }

    NoiseSuppressor stage;
    std::vector<float> frames;
    std::size_t filled = 0;
};

template <typename Bound>
void bind_settings(py::class_<Bound>& bound) {
    bound.def("reset", &Bound::reset)
        .def_property(
            "attenuation_db", [](const Bound& self) { return self.stage.attenuation_db(); },
            [](Bound& self, float attenuation_db) { self.stage.set_attenuation_db(attenuation_db); })
        .def_property_readonly("frame_samples", [](const Bound& self) { return self.stage.frame_samples(); })
        .def_property_readonly("latency_samples", [](const Bound& self) { return self.stage.latency_samples(); });
}

}  // namespace

void bind_noise_suppressor(py::module_& m) {
    py::register_exception<WeightsError>(m, "WeightsError", PyExc_ValueError);
    py::class_<Weights, py::smart_holder>(m, "Weights")
        .def(py::init([](const py::bytes& file, const std::string& name) {
                 const std::string_view bytes = file;
                 return std::make_shared<Weights>(std::as_bytes(std::span(bytes)), name);
             }),
             py::arg("file"), py::arg("name"))
        .def_property_readonly("name", &Weights::name)
        .def_property_readonly("checksum", &Weights::checksum);

    py::class_<Stage> one(m, "NoiseSuppressor");
    one.def(py::init([](int sample_rate_hz, std::optional<float> attenuation_db, SharedWeights weights) {
                return std::make_unique<Stage>(
                    0u, NoiseSuppressor::Config{sample_rate_hz, attenuation_db, weights.value_or(nullptr)});
            }),
            py::arg("sample_rate_hz") = 48000, py::arg("attenuation_db") = py::none(), py::arg("weights") = py::none())
        .def("process", &process<float>, py::arg("samples").noconvert(), py::arg("out").noconvert() = py::none())
        .def("process", &process<std::int16_t>, py::arg("samples").noconvert(), py::arg("out").noconvert() = py::none())
        .def_property_readonly("speech_probability", [](const Stage& self) { return self.stage.speech_probability(); });
    bind_settings(one);

    py::class_<Bank> bank(m, "NoiseSuppressorBank");
    bank.def(py::init([](std::size_t streams, int sample_rate_hz, std::optional<float> attenuation_db,
                         SharedWeights weights) {
                 return std::make_unique<Bank>(
                     NoiseSuppressor::Config{sample_rate_hz, attenuation_db, weights.value_or(nullptr), streams});
             }),
             py::arg("streams"), py::arg("sample_rate_hz") = 48000, py::arg("attenuation_db") = py::none(),
             py::arg("weights") = py::none())
        .def("process", &Bank::process<float>, py::arg("samples").noconvert(), py::arg("out").noconvert() = py::none())
        .def("process", &Bank::process<std::int16_t>, py::arg("samples").noconvert(),
             py::arg("out").noconvert() = py::none())
        .def_property_readonly("speech_probability", &Bank::speech_probability);
    bind_settings(bank);
}

}  // namespace spike::bindings
