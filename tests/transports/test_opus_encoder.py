"""The encoder of voices, as Python sees it."""

from __future__ import annotations

import av
import numpy as np
import pytest

from spike_engine import _core

FRAME = 960


def voice(frames: int) -> np.ndarray:
    t = np.arange(frames * FRAME) / 48000
    buzz = sum(np.sin(2 * np.pi * 150 * k * t + 0.3 * k * k) / k for k in range(1, 20))
    return (0.15 * buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t))).astype(np.float32)


def decoded(packets: list[bytes]) -> np.ndarray:
    """By ffmpeg, which is not ours."""
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate, decoder.layout = 48000, "mono"
    return np.concatenate([frame.to_ndarray()[0] for data in packets for frame in decoder.decode(av.Packet(data))])


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_another_decoder_hears_what_was_encoded(dtype: str) -> None:
    sent = voice(50)
    samples = sent if dtype == "float32" else (sent * 32767).astype(np.int16)
    encoder = _core.OpusEncoder(bitrate_bps=64_000)

    heard = decoded([encoder.encode(samples[at : at + FRAME]) for at in range(0, len(samples), FRAME)])

    lag = encoder.latency_samples
    part = heard[lag + 20 * FRAME :][: 20 * FRAME]
    reference = sent[20 * FRAME : 40 * FRAME]
    assert np.corrcoef(part, reference)[0, 1] > 0.75


def test_settings_are_changed_between_two_frames() -> None:
    encoder = _core.OpusEncoder(bitrate_bps=64_000, fec=True, expected_loss=0.1, complexity=5)
    samples = voice(40)
    large = [encoder.encode(samples[at : at + FRAME]) for at in range(0, 20 * FRAME, FRAME)]
    encoder.bitrate_bps, encoder.fec, encoder.expected_loss, encoder.dtx, encoder.complexity = (
        12_000,
        False,
        0.0,
        True,
        1,
    )
    small = [encoder.encode(samples[at : at + FRAME]) for at in range(20 * FRAME, 40 * FRAME, FRAME)]

    assert sum(map(len, large)) > 3 * sum(map(len, small))
    assert (encoder.bitrate_bps, encoder.fec, encoder.expected_loss) == (12_000, False, 0.0)
    assert (encoder.dtx, encoder.complexity) == (True, 1)


def test_a_bad_frame_or_setting_is_refused_by_name() -> None:
    encoder = _core.OpusEncoder()
    with pytest.raises(ValueError, match=r"2\.5, 5, 10, 20, 40 or 60 ms"):
        encoder.encode(np.zeros(441, np.float32))
    with pytest.raises(ValueError, match=r"shape \(n,\)"):
        encoder.encode(np.zeros((FRAME, 2), np.float32))
    with pytest.raises(TypeError):
        encoder.encode(np.zeros(FRAME, np.float64))
    with pytest.raises(ValueError, match="bitrate_bps must be 6000 to 510000"):
        encoder.bitrate_bps = 1
    with pytest.raises(ValueError, match="application must be"):
        _core.OpusEncoder(application="music")
    with pytest.raises(ValueError, match="sample_rate_hz must be"):
        _core.OpusEncoder(44100)
