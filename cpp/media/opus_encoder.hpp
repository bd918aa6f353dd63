// One voice as Opus packets (RFC 6716). Whatever the network and the machine ask for can change between two frames.
//
// Contract: one thread at a time. `encode` and `use` take no memory besides that of the construction and throw nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct OpusEncoder;

namespace spike {

class VoiceEncoder {
  public:
    // `voip` keeps speech clear and carries error correction, `audio` is for music, `lowdelay` has neither speech mode.
    enum class Application { voip, audio, lowdelay };

    struct Config {
        int sample_rate_hz = 48000;  // 8000, 12000, 16000, 24000 or 48000
        int channels = 1;            // 1 or 2
        Application application = Application::voip;
    };

    struct Settings {
        int bitrate_bps = 40000;     // 6000 to 510000
        bool fec = false;            // a coarse copy of each frame in the packet that follows (section 2.1.7)
        double expected_loss = 0.0;  // share of packets, 0 to 1: how much of the bit rate the copies may take
        bool dtx = false;            // next to nothing for silence (section 2.1.9)
        int complexity = 9;          // 0 to 10

        bool operator==(const Settings&) const = default;
    };

    static constexpr std::size_t most_bytes = 1275;  // of one frame (section 3.4)

    // Throws std::invalid_argument for a value out of range.
    VoiceEncoder(const Config& config, const Settings& settings);

    // Throws std::invalid_argument for a value out of range, and then keeps what it had.
    void use(const Settings& settings);
    const Settings& settings() const noexcept { return settings_; }

    // Encodes one frame of 2.5, 5, 10, 20, 40 or 60 ms, interleaved, and returns the bytes of its packet: 1 or 2 where
    // nothing has to be sent (DTX), 0 where the frame has another length.
    std::size_t encode(std::span<const float> samples, std::span<std::uint8_t> packet) noexcept;
    std::size_t encode(std::span<const std::int16_t> samples, std::span<std::uint8_t> packet) noexcept;

    // Whether encode takes a frame of so many samples of each channel.
    bool takes(std::size_t frame_samples) const noexcept;

    // How much later than it came in a sample is decoded, in samples.
    std::size_t latency_samples() const noexcept { return latency_samples_; }
    int channels() const noexcept { return config_.channels; }
    int sample_rate_hz() const noexcept { return config_.sample_rate_hz; }

    // Begins a new stream with the settings that are in use.
    void reset() noexcept;

  private:
    struct Destroy {
        void operator()(::OpusEncoder* encoder) const noexcept;
    };

    void apply() noexcept;

    Config config_;
    Settings settings_;
    std::unique_ptr<::OpusEncoder, Destroy> encoder_;
    std::size_t latency_samples_ = 0;
};

}  // namespace spike
