#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "bindings/bindings.hpp"
#include "media/voice_receiver.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

constexpr std::array<std::pair<const char*, VoiceCodec>, 5> codecs{{{"opus", VoiceCodec::opus},
                                                                    {"pcmu", VoiceCodec::pcmu},
                                                                    {"pcma", VoiceCodec::pcma},
                                                                    {"l16", VoiceCodec::l16},
                                                                    {"cn", VoiceCodec::noise}}};
constexpr std::array states{"silence", "normal", "fec", "concealed", "comfort-noise", "accelerated", "expanded"};

// The bytes of an object, for as long as this lives.
class Bytes {
  public:
    explicit Bytes(const py::buffer& object) {
        if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw py::error_already_set();
    }
    ~Bytes() { PyBuffer_Release(&view_); }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;

    std::span<const std::uint8_t> span() const noexcept {
        return {static_cast<const std::uint8_t*>(view_.buf), static_cast<std::size_t>(view_.len)};
    }

  private:
    Py_buffer view_{};
};

VoiceCodec codec_named(const std::string& name) {
    for (const auto& [known, codec] : codecs)
        if (name == known) return codec;
    throw py::value_error("codec must be 'opus', 'pcmu', 'pcma', 'l16' or 'cn', not '" + name + "'");
}

template <void (VoiceReceiver::*Push)(const VoicePacket&)>
void push(VoiceReceiver& self, const py::buffer& payload, std::uint16_t sequence_number, std::uint32_t timestamp,
          double arrival_ms, const std::string& codec, int clock_rate_hz, int channels, std::uint32_t ssrc, bool) {
    const Bytes bytes(payload);
    VoicePacket packet{bytes.span(), sequence_number, timestamp, arrival_ms, ssrc, {codec_named(codec), clock_rate_hz}};
    if (packet.format.codec != VoiceCodec::opus) packet.format.channels = channels;  // Opus says it in each packet
    (self.*Push)(packet);
}

void pull(VoiceReceiver& self, py::array_t<float, py::array::c_style>& out) {
    if (out.ndim() != 1) throw py::value_error("out must have shape (n,)");
    self.pull({out.mutable_data(), static_cast<std::size_t>(out.size())});
}

template <typename Method>
void def_push(py::class_<VoiceReceiver>& receiver, const char* name, Method method, const char* doc) {
    receiver.def(name, method, py::arg("payload"), py::arg("sequence_number"), py::arg("timestamp"),
                 py::arg("arrival_ms"), py::kw_only(), py::arg("codec") = "opus", py::arg("clock_rate_hz") = 48000,
                 py::arg("channels") = 1, py::arg("ssrc") = 0, py::arg("marker") = false, doc);
}

void bind_stats(py::module_& m) {
    using S = ReceiverStats;
    py::class_<S>(m, "ReceiverStats", "What a voice receiver has counted since it was made or reset.")
        .def_readonly("packets_received", &S::packets_received, "Each once; late ones too.")
        .def_readonly("packets_late", &S::packets_late, "Came when their time was over.")
        .def_readonly("packets_duplicate", &S::packets_duplicate, "Had come before.")
        .def_readonly("packets_lost", &S::packets_lost, "Have not come yet, by their sequence numbers.")
        .def_readonly("packets_discarded", &S::packets_discarded, "Given up: no room, or far too late.")
        .def_readonly("fec_recovered", &S::fec_recovered, "Played from the next packet's error correction.")
        .def_readonly("red_recovered", &S::red_recovered, "Played from a repetition, RFC 2198.")
        .def_readonly("concealed_samples", &S::concealed_samples)
        .def_readonly("silent_concealed_samples", &S::silent_concealed_samples, "Of them, only the background's noise.")
        .def_readonly("concealment_events", &S::concealment_events)
        .def_readonly("inserted_samples", &S::inserted_samples, "To slow down.")
        .def_readonly("removed_samples", &S::removed_samples, "To hurry up.")
        .def_readonly("decode_errors", &S::decode_errors, "Payloads that the codec refused.")
        .def_readonly("delay_ms", &S::delay_ms, "From the arrival of a packet that is not held up to its sound.")
        .def_readonly("target_delay_ms", &S::target_delay_ms, "What delay_ms should be.")
        .def_readonly("jitter_ms", &S::jitter_ms, "RFC 3550 section 6.4.1.");
}

std::optional<std::int64_t> playout_timestamp(const VoiceReceiver& self) {
    const VoiceHeard heard = self.heard();
    return heard.begun ? std::optional(heard.playout_timestamp) : std::nullopt;
}

}  // namespace

void bind_voice_receiver(py::module_& m) {
    bind_stats(m);
    py::class_<VoiceReceiver> receiver(m, "VoiceReceiver",
                                       "Packets of a voice to samples: one thread pushes and resets, one pulls.");
    receiver.def(
        py::init([](int sample_rate_hz, double min_delay_ms, double max_delay_ms) {
            return std::make_unique<VoiceReceiver>(VoiceReceiver::Config{sample_rate_hz, min_delay_ms, max_delay_ms});
        }),
        py::arg("sample_rate_hz") = 48000, py::kw_only(), py::arg("min_delay_ms") = 0.0,
        py::arg("max_delay_ms") = 2000.0);
    def_push(receiver, "push", &push<&VoiceReceiver::push>,
             "Take a packet's payload. It may hold anything; what is no packet of the codec is counted.");
    def_push(receiver, "push_red", &push<&VoiceReceiver::push_redundant>,
             "The same for a payload of RFC 2198, whose blocks are all of this codec.");
    receiver.def("pull", &pull, py::arg("out").noconvert(), "Fill `out`, float32 of shape (n,), with what comes next.")
        .def("reset", &VoiceReceiver::reset, "From the next pull on as if nothing had ever come.")
        .def_property_readonly("playout_timestamp", &playout_timestamp,
                               "RTP timestamp, unwrapped, of the next sample; None before the first packet.")
        .def_property_readonly("playing_timestamp", &VoiceReceiver::playing_timestamp,
                               "RTP timestamp, unwrapped, of what plays now, had it begun when it was pulled; None "
                               "before the first packet and while what plays was not sent.")
        .def_property("min_delay_ms", &VoiceReceiver::min_delay_ms, &VoiceReceiver::set_min_delay_ms,
                      "How long everything is held back at least, in ms, from the next pull on.")
        .def_property_readonly("level", [](const VoiceReceiver& self) { return self.heard().level; })
        .def_property_readonly("level_dbfs", [](const VoiceReceiver& self) { return self.heard().level_dbfs; })
        .def_property_readonly(
            "state", [](const VoiceReceiver& self) { return states[static_cast<std::size_t>(self.heard().state)]; },
            "'silence', 'normal', 'fec', 'concealed', 'comfort-noise', 'accelerated' or 'expanded': of what was "
            "pulled last.")
        .def_property_readonly(
            "active", [](const VoiceReceiver& self) { return was_sent(self.heard().state); },
            "What was pulled last was sent as it is, neither concealment nor noise.")
        .def_property_readonly("stats", [](const VoiceReceiver& self) { return self.heard().stats; });
}

}  // namespace spike::bindings
