#include <array>
#include <string>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "media/opus_encoder.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

VoiceEncoder::Application application_of(const std::string& name) {
    if (name == "voip") return VoiceEncoder::Application::voip;
    if (name == "audio") return VoiceEncoder::Application::audio;
    if (name == "lowdelay") return VoiceEncoder::Application::lowdelay;
    throw py::value_error("application must be 'voip', 'audio' or 'lowdelay', not '" + name + "'");
}

// The GIL is held: a frame takes less time than a switch of threads.
template <typename Sample>
py::bytes encode(VoiceEncoder& self, const Array<Sample>& pcm) {
    const auto channels = static_cast<py::ssize_t>(self.channels());
    const bool shaped = pcm.ndim() == 1 ? channels == 1 : pcm.ndim() == 2 && pcm.shape(1) == channels;
    const auto frame_samples = static_cast<std::size_t>(pcm.ndim() > 0 ? pcm.shape(0) : 0);
    if (!shaped || !self.takes(frame_samples))
        throw py::value_error("pcm must hold 2.5, 5, 10, 20, 40 or 60 ms at " + std::to_string(self.sample_rate_hz()) +
                              " Hz, of shape " + (channels == 1 ? "(n,)" : "(n, 2)") + ", not " +
                              std::string(py::str(pcm.attr("shape"))));
    std::array<std::uint8_t, VoiceEncoder::most_bytes> packet;
    const std::size_t bytes = self.encode(std::span(pcm.data(), static_cast<std::size_t>(pcm.size())), packet);
    return {reinterpret_cast<const char*>(packet.data()), bytes};
}

// A setting as a property: read from what is in use, written by using it with this one changed.
template <typename Value>
void def_setting(py::class_<VoiceEncoder>& encoder, const char* name, Value VoiceEncoder::Settings::* member,
                 const char* text) {
    encoder.def_property(
        name, [member](const VoiceEncoder& self) { return self.settings().*member; },
        [member](VoiceEncoder& self, Value value) {
            VoiceEncoder::Settings settings = self.settings();
            settings.*member = value;
            self.use(settings);
        },
        text);
}

}  // namespace

void bind_opus_encoder(py::module_& m) {
    using Settings = VoiceEncoder::Settings;
    py::class_<VoiceEncoder> encoder(m, "OpusEncoder",
                                     "One voice as Opus packets (RFC 6716); settings can change between two frames.");
    encoder
        .def(py::init([](int sample_rate_hz, int channels, int bitrate_bps, bool fec, double expected_loss, bool dtx,
                         int complexity, const std::string& application) {
                 return std::make_unique<VoiceEncoder>(
                     VoiceEncoder::Config{sample_rate_hz, channels, application_of(application)},
                     Settings{bitrate_bps, fec, expected_loss, dtx, complexity});
             }),
             py::arg("sample_rate_hz") = 48000, py::kw_only(), py::arg("channels") = 1, py::arg("bitrate_bps") = 40000,
             py::arg("fec") = false, py::arg("expected_loss") = 0.0, py::arg("dtx") = false, py::arg("complexity") = 9,
             py::arg("application") = "voip")
        .def("encode", &encode<float>, py::arg("pcm").noconvert(),
             "The packet of one frame, shape (n,) or (n, 2); 1 or 2 bytes where nothing has to be sent (DTX).")
        .def("encode", &encode<std::int16_t>, py::arg("pcm").noconvert())
        .def("reset", &VoiceEncoder::reset, "Begin a new stream.")
        .def_property_readonly("channels", &VoiceEncoder::channels)
        .def_property_readonly("sample_rate_hz", &VoiceEncoder::sample_rate_hz)
        .def_property_readonly("latency_samples", &VoiceEncoder::latency_samples);
    def_setting(encoder, "bitrate_bps", &Settings::bitrate_bps, "6000 to 510000.");
    def_setting(encoder, "fec", &Settings::fec, "Carry a coarse copy of each frame in the packet that follows.");
    def_setting(encoder, "expected_loss", &Settings::expected_loss, "Share of packets that get lost, 0 to 1.");
    def_setting(encoder, "dtx", &Settings::dtx, "Send next to nothing for silence.");
    def_setting(encoder, "complexity", &Settings::complexity, "0 to 10: more time for a better voice.");
}

}  // namespace spike::bindings
