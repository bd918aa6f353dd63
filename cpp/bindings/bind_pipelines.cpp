#include <pybind11/stl.h>

#include "bindings/bindings.hpp"
#include "bindings/framer.hpp"
#include "pipeline/capture_pipeline.hpp"
#include "pipeline/render_pipeline.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

Array<float> render(RenderPipeline& self, const Array<float>& samples, const std::optional<Array<float>>& out) {
    require(samples.ndim() == 1, "the samples must have shape (n,)");
    const auto count = static_cast<std::size_t>(samples.size());
    Array<float> result = output_array(out, count);
    float* to = result.mutable_data();
    for (std::size_t n = 0; n < count; ++n) to[n] = to_float(samples.data()[n]);
    self.process({to, count});
    return result;
}

void bind_capture(py::module_& m) {
    py::class_<CaptureStats, EchoStats>(m, "CaptureStats", "By-products of the capture pipeline, as of the last frame.")
        .def_readonly("speech_probability", &CaptureStats::speech_probability)
        .def_readonly("voice_active", &CaptureStats::voice_active)
        .def_readonly("input_level_dbfs", &CaptureStats::input_level_dbfs)
        .def_readonly("output_level_dbfs", &CaptureStats::output_level_dbfs);

    using Stage = Framed<CapturePipeline>;
    py::class_<Stage>(m, "CapturePipeline")
        .def(py::init([](int sample_rate_hz, bool echo_cancellation, bool noise_suppression, std::size_t far_channels,
                         std::optional<std::shared_ptr<const Weights>> noise_weights,
                         std::optional<std::shared_ptr<const Weights>> echo_weights) {
                 return std::make_unique<Stage>(
                     far_channels,
                     CapturePipeline::Config{sample_rate_hz, echo_cancellation, noise_suppression, far_channels,
                                             noise_weights.value_or(nullptr), echo_weights.value_or(nullptr)});
             }),
             py::arg("sample_rate_hz") = 48000, py::kw_only(), py::arg("echo_cancellation") = true,
             py::arg("noise_suppression") = true, py::arg("far_channels") = 1, py::arg("noise_weights") = py::none(),
             py::arg("echo_weights") = py::none())
        .def(
            "hint_delay", [](Stage& self, double delay_ms) { self.stage.hint_delay(delay_ms); }, py::arg("delay_ms"))
        .def("process", &process_with_far<float, CapturePipeline>, py::arg("microphone").noconvert(),
             py::arg("far").noconvert(), py::arg("out").noconvert() = py::none())
        .def("process", &process_with_far<std::int16_t, CapturePipeline>, py::arg("microphone").noconvert(),
             py::arg("far").noconvert(), py::arg("out").noconvert() = py::none())
        .def("reset", &Stage::reset)
        .def_property_readonly("stats", [](const Stage& self) { return self.stage.stats(); })
        .def_property_readonly("frame_samples", [](const Stage& self) { return self.stage.frame_samples(); })
        .def_property_readonly("latency_samples", [](const Stage& self) { return self.stage.latency_samples(); });
}

}  // namespace

void bind_pipelines(py::module_& m) {
    bind_capture(m);
    py::class_<RenderPipeline>(m, "RenderPipeline")
        .def(py::init<int>(), py::arg("sample_rate_hz") = 48000)
        .def("process", &render, py::arg("samples").noconvert(), py::arg("out").noconvert() = py::none())
        .def_property("gain", &RenderPipeline::gain, &RenderPipeline::set_gain)
        .def_property_readonly("level", [](const RenderPipeline& self) { return self.meter().level(); })
        .def_property_readonly("level_dbfs", [](const RenderPipeline& self) { return self.meter().rms_dbfs(); })
        .def("reset", &RenderPipeline::reset);
}

}  // namespace spike::bindings
