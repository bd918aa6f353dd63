#include "bindings/bindings.hpp"
#include "bindings/framed.hpp"
#include "dsp/noise_suppressor.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

using Stage = Framed<NoiseSuppressor>;
using SharedWeights = std::optional<std::shared_ptr<const Weights>>;  // so that the stub says so

// Several streams in step: frames are collected for all at once.
struct Bank : Stage {
    using Stage::Stage;
};

Array<float> speech_probabilities(Bank& self) {
    return self.with([](const NoiseSuppressor& stage) {
        Array<float> probabilities(static_cast<py::ssize_t>(stage.streams()));
        for (std::size_t s = 0; s < stage.streams(); ++s) probabilities.mutable_data()[s] = stage.speech_probability(s);
        return probabilities;
    });
}

template <typename Bound>
std::unique_ptr<Bound> make(int sample_rate_hz, std::optional<float> attenuation_db, const SharedWeights& weights,
                            std::size_t streams) {
    return std::make_unique<Bound>(
        sample_rate_hz, streams, 0u,
        NoiseSuppressor::Config{
            .attenuation_db = attenuation_db, .weights = weights.value_or(nullptr), .streams = streams});
}

template <typename Bound>
void bind_settings(py::class_<Bound>& bound) {
    bound.def("reset", &Bound::reset)
        .def_property(
            "attenuation_db",
            [](Bound& self) { return self.with([](const NoiseSuppressor& stage) { return stage.attenuation_db(); }); },
            [](Bound& self, float attenuation_db) {
                self.with([attenuation_db](NoiseSuppressor& stage) { stage.set_attenuation_db(attenuation_db); });
            })
        .def_property_readonly("frame_samples", &Bound::frame_samples)
        .def_property_readonly("latency_samples", &Bound::latency_samples);
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
    one.def(py::init([](int sample_rate_hz, std::optional<float> attenuation_db, const SharedWeights& weights) {
                return make<Stage>(sample_rate_hz, attenuation_db, weights, 1);
            }),
            py::arg("sample_rate_hz") = 48000, py::arg("attenuation_db") = py::none(), py::arg("weights") = py::none())
        .def("process", &Stage::process<float>, py::arg("samples").noconvert(), py::arg("out").noconvert() = py::none())
        .def("process", &Stage::process<std::int16_t>, py::arg("samples").noconvert(),
             py::arg("out").noconvert() = py::none())
        .def_property_readonly("speech_probability", [](Stage& self) {
            return self.with([](const NoiseSuppressor& stage) { return stage.speech_probability(); });
        });
    bind_settings(one);

    py::class_<Bank> bank(m, "NoiseSuppressorBank");
    bank.def(py::init([](int streams, int sample_rate_hz, std::optional<float> attenuation_db,
                         const SharedWeights& weights) {
                 require(streams >= 1, "streams must be from 1 to 4096, not " + std::to_string(streams));
                 return make<Bank>(sample_rate_hz, attenuation_db, weights, static_cast<std::size_t>(streams));
             }),
             py::arg("streams"), py::arg("sample_rate_hz") = 48000, py::arg("attenuation_db") = py::none(),
             py::arg("weights") = py::none())
        .def("process", &Bank::process_rows<float>, py::arg("samples").noconvert(),
             py::arg("out").noconvert() = py::none())
        .def("process", &Bank::process_rows<std::int16_t>, py::arg("samples").noconvert(),
             py::arg("out").noconvert() = py::none())
        .def_property_readonly("speech_probability", &speech_probabilities);
    bind_settings(bank);
}

}  // namespace spike::bindings
