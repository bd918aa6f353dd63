from pathlib import Path
from typing import Any

import pytest

from spike_engine.errors import ErrorCode, InvalidOption
from spike_engine.options import ClientOptions, VideoQuality, trusted

# Of an authority that exists for this test only.
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBiDCCAS+gAwIBAgIUCJEnZRS8MypE6je4/OdZvP2qL6kwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI5MDUwMDUyWhgPMjEy
NjExMDUwNTAwNTJaMBkxFzAVBgNVBAMMDnRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEnO8MXGrNdQsF7iY8h3fKj6a2JUpqRaB5CbooO3y7
roO7d94KHSl/XTkxZQBjafLAQHPJocpbX5zRkVUsbTTHwKNTMFEwHQYDVR0OBBYE
FFPrGsfrn+lRN0ScqthJniT/HrEXMB8GA1UdIwQYMBaAFFPrGsfrn+lRN0ScqthJ
niT/HrEXMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgF7nTkR4A
ofc9oxAKfrDbPNoUa5/c0wO8ePPkevPm+fQCIHj1NGOVM6sbGUNlUOT5t9PTyd3n
BUWikkyD/K9/Z0Rb
-----END CERTIFICATE-----
"""

URL = "https://spike.example/conv_abc123"


def options(**changes: Any) -> ClientOptions:
    return ClientOptions(**{"conversation_url": URL, "token": "eyJ", **changes})


def test_the_defaults_are_those_of_the_spec() -> None:
    chosen = options()

    assert (chosen.audio, chosen.video) == (True, True)
    assert (chosen.audio_source, chosen.video_source) == ("default", "default")
    assert (chosen.echo_cancellation, chosen.noise_suppression) == (True, True)
    assert chosen.video_quality == "high"


@pytest.mark.parametrize("noise_suppression", [False, "neural", "recogniser", "classical"])
def test_noise_suppression_may_name_its_mode(noise_suppression: Any) -> None:
    assert options(noise_suppression=noise_suppression).noise_suppression == noise_suppression


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conversation_url", "spike.example/conv"),
        ("conversation_url", "ftp://spike.example/conv"),
        ("conversation_url", "https://"),
        ("conversation_url", "https://[broken"),
        ("conversation_url", "http://spike.example:99999/"),
        ("conversation_url", None),
        ("token", ""),
        ("token", None),
        ("token", b"eyJ"),
        ("audio", "yes"),
        ("video", 1),
        ("echo_cancellation", None),
        ("noise_suppression", "off"),
        ("noise_suppression", 1),
        ("audio_source", 3),
        ("audio_source", ""),
        ("video_source", object()),
        ("audio_output", 0),
        ("video_quality", "ultra"),
        ("video_quality", None),
        ("on_connected", "print"),
        ("on_disconnected", 1),
        ("on_error", []),
        ("transport", "carrier-pigeon"),
        ("join_timeout_s", 0),
        ("join_timeout_s", float("inf")),
        ("join_timeout_s", "5"),
        ("token", "with blank"),
        ("token", "naïve"),
        ("ice_servers", "stun:stun.example"),
        ("ice_servers", {"urls": "stun:stun.example"}),
        ("ice_servers", 5),
        ("ice_transport_policy", "some"),
        ("turn_detection", "nobody"),
        ("conversation_url", "http://bot.example/"),
        ("ca_file", "there-is-none.pem"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_option(name: str, value: Any) -> None:
    with pytest.raises(InvalidOption, match=name) as refusal:
        options(**{name: value})

    assert refusal.value.code == ErrorCode.INVALID_OPTION


class Endpoint:
    """Has what an audio source, a video source and an audio sink are known by."""

    async def read(self) -> None: ...

    def write(self) -> None: ...


def test_objects_are_accepted_as_sources_and_sinks() -> None:
    endpoint = Endpoint()
    chosen = options(audio_source=endpoint, video_source=endpoint, audio_output=endpoint)

    assert chosen.audio_source is chosen.video_source is chosen.audio_output is endpoint


def test_no_audio_output_is_accepted() -> None:
    assert options(audio_output=None).audio_output is None


@pytest.mark.parametrize(
    ("quality", "size"), [("low", (320, 180, 15)), ("medium", (640, 360, 24)), ("high", (1280, 720, 30))]
)
def test_each_video_quality_is_a_size_and_a_rate(quality: Any, size: tuple[int, int, int]) -> None:
    chosen = options(video_quality=quality).quality

    assert (chosen.width, chosen.height, chosen.fps) == size
    assert isinstance(chosen, VideoQuality)


def test_a_token_is_taken_without_the_line_break_behind_it_and_is_not_shown() -> None:
    chosen = options(token="eyJ\n")

    assert chosen.token == "eyJ"
    assert "eyJ" not in repr(chosen)


def test_authorities_of_ones_own_are_trusted_besides_the_systems(tmp_path: Path) -> None:
    assert trusted(None) is None
    file = tmp_path / "own.pem"
    file.write_text(CERTIFICATE)
    context = trusted(file)

    assert context is not None
    assert len(context.get_ca_certs()) >= 1
    assert options(ca_file=file).ca_file == file
