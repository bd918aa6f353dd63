#include "bindings/bindings.hpp"
#include "bindings/framed.hpp"
#include "pipeline/capture_pipeline.hpp"
#include "pipeline/render_pipeline.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

// As the resampler's: shorter calls would wait longer to get the GIL back than they take.
constexpr std::size_t long_samples = 16384;

// A render pipeline that one thread at a time uses.
class Renderer {
  public:
    explicit Renderer(int sample_rate_hz) : pipeline_(sample_rate_hz) {}

    template <typename Use>
    auto with(Use&& use) {
        const Turn turn(lock_);
        return use(pipeline_);
    }

    Array<float> process(const Array<float>& samples, const std::optional<Array<float>>& out) {
        require(samples.ndim() == 1, "the samples must have shape (n,)");
        const auto count = static_cast<std::size_t>(samples.size());
        const Turn turn(lock_);
        Array<float> result = output_array(out, count);
        const Array<float> in = apart(samples, result);
        const float* from = in.data();
        float* to = result.mutable_data();
        without_gil_where(count >= long_samples, [&] {
            std::transform(from, from + count, to, [](float sample) { return to_float(sample); });
            pipeline_.process({to, count});
        });
        return result;
    }

  private:
    RenderPipeline pipeline_;
    Lock lock_;
};

void bind_render(py::module_& m) {
    py::class_<Renderer>(m, "RenderPipeline")
        .def(py::init<int>(), py::arg("sample_rate_hz") = 48000)
        .def("process", &Renderer::process, py::arg("samples").noconvert(), py::arg("out").noconvert() = py::none())
        .def_property(
            "gain", [](Renderer& self) { return self.with([](const RenderPipeline& stage) { return stage.gain(); }); },
            [](Renderer& self, float gain) { self.with([gain](RenderPipeline& stage) { stage.set_gain(gain); }); })
        .def_property_readonly(
            "level",
            [](Renderer& self) { return self.with([](const RenderPipeline& stage) { return stage.meter().level(); }); })
        .def_property_readonly(
            "level_dbfs",
            [](Renderer& self) {
                return self.with([](const RenderPipeline& stage) { return stage.meter().rms_dbfs(); });
            })
        .def("reset", [](Renderer& self) { self.with([](RenderPipeline& stage) { stage.reset(); }); });
}

void bind_capture(py::module_& m) {
    py::class_<CaptureStats, EchoStats>(m, "CaptureStats", "By-products of the capture pipeline, as of the last frame.")
        .def_readonly("speech_probability", &CaptureStats::speech_probability)
        .def_readonly("voice_active", &CaptureStats::voice_active)
        .def_readonly("voice_suspected", &CaptureStats::voice_suspected)
        .def_readonly("input_level_dbfs", &CaptureStats::input_level_dbfs)
        .def_readonly("output_level_dbfs", &CaptureStats::output_level_dbfs)
        .def_readonly("gain_db", &CaptureStats::gain_db, "What the voice gets from the gain control, in dB.");

    using Stage = Framed<CapturePipeline>;
    py::class_<Stage> bound(m, "CapturePipeline");
    bound
        .def(py::init([](int sample_rate_hz, bool echo_cancellation, bool noise_suppression, bool gain_control,
                         int far_channels, std::optional<float> noise_attenuation_db,
                         std::optional<std::shared_ptr<const Weights>> noise_weights,
                         std::optional<std::shared_ptr<const Weights>> echo_weights) {
                 const std::size_t channels = checked_far_channels(far_channels);
                 return std::make_unique<Stage>(
                     sample_rate_hz, 1u, channels,
                     CapturePipeline::Config{.echo_cancellation = echo_cancellation,
                                             .noise_suppression = noise_suppression,
                                             .gain_control = gain_control,
                                             .far_channels = channels,
                                             .noise_attenuation_db = noise_attenuation_db,
                                             .noise_weights = noise_weights.value_or(nullptr),
                                             .echo_weights = echo_weights.value_or(nullptr)});
             }),
             py::arg("sample_rate_hz") = 48000, py::kw_only(), py::arg("echo_cancellation") = true,
             py::arg("noise_suppression") = true, py::arg("gain_control") = false, py::arg("far_channels") = 1,
             py::arg("noise_attenuation_db") = py::none(), py::arg("noise_weights") = py::none(),
             py::arg("echo_weights") = py::none())
        .def("process", &Stage::process_with_far<float>, py::arg("microphone").noconvert(), py::arg("far").noconvert(),
             py::arg("out").noconvert() = py::none())
        .def("process", &Stage::process_with_far<std::int16_t>, py::arg("microphone").noconvert(),
             py::arg("far").noconvert(), py::arg("out").noconvert() = py::none())
        .def_property_readonly(
            "stats", [](Stage& self) { return self.with([](const CapturePipeline& stage) { return stage.stats(); }); });
    bind_framed(bound);
}

}  // namespace

void bind_pipelines(py::module_& m) {
    bind_capture(m);
    bind_render(m);
}

}  // namespace spike::bindings
