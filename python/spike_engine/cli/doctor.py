"""``spike-engine doctor``: is everything here that a conversation needs, and what to do where it is not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spike_engine import dsp
from spike_engine.addresses.web import checked
from spike_engine.devices import Loudspeaker, Microphone, list_devices
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.errors import MediaError, SpikeError
from spike_engine.options import IceServer

FRAME_SAMPLES = ENGINE_RATE_HZ // 100
QUIET_DBFS = -70.0
MUCH_DRIFT_PPM = 500.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        status: ``"ok"``; ``"warning"``: a conversation works without it; ``"failure"``: it does not.
        found: What there is.
        advice: What to do; empty where all is well.
    """

    name: str
    status: Literal["ok", "warning", "failure"]
    found: str
    advice: str = ""


async def examine(
    *, turn: IceServer | None = None, url: str | None = None, sound_s: float = 4.0, speaker: bool = True
) -> AsyncIterator[Check]:
    """Look at one thing after the other.

    Args:
        turn: A TURN server to try.
        url: A conversation whose server should be in reach.
        sound_s: How long to listen to the microphone; 0 for not at all.
        speaker: Play a noise meanwhile, to find the echo.
    """
    yield check_addresses()
    yield check_udp()
    if turn:
        yield await check_turn(turn)
    if url:
        yield await check_server(url)
    devices = await asyncio.to_thread(list_devices)
    for kind, found in (
        ("microphone", devices.audio),
        ("loudspeaker", devices.audio_output),
        ("camera", devices.video),
    ):
        yield check_listed(kind, [device.name for device in found])
    if devices.audio and sound_s:
        for check in await check_sound(sound_s, speaker=speaker and bool(devices.audio_output)):
            yield check


def check_addresses() -> Check:
    """ICE leaves loopback out: there must be another network."""
    from spike_engine.webrtc.probe import own_addresses  # noqa: PLC0415 (aiortc loads at first use)

    addresses = own_addresses()
    if addresses:
        return Check("network address", "ok", ", ".join(addresses))
    return Check("network address", "failure", "only loopback", "connect to a network; ICE does not use loopback")


def check_udp() -> Check:
    """Media needs a UDP port, any."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("", 0))
            return Check("UDP", "ok", "ports can be opened")
    except OSError as error:
        return Check(
            "UDP", "failure", str(error), "allow this program to open UDP ports, or use a TURN server over TCP"
        )


async def check_turn(server: IceServer) -> Check:
    """Whether the relay gives us an address."""
    from spike_engine.webrtc.probe import relayed_addresses  # noqa: PLC0415 (aiortc loads at first use)

    addresses = await relayed_addresses(server)
    name = f"TURN {', '.join(server.all_urls)}"
    if addresses:
        return Check(name, "ok", f"relays at {addresses[0]}")
    return Check(name, "failure", "no address", "check host, port, user name and password; try ?transport=tcp")


async def check_server(url: str) -> Check:
    """Whether anything listens where the conversation is."""
    from spike_engine.transports.http import Http  # noqa: PLC0415 (aiohttp loads at first use)

    try:
        async with asyncio.timeout(6):
            await Http().request("GET", checked(url, "--url"), accept=tuple(range(100, 600)))
    except (SpikeError, TimeoutError) as error:
        return Check("server", "failure", str(error) or "no answer within 6 s", "check the address and the network")
    return Check("server", "ok", f"{url} answers")


def check_listed(kind: str, names: list[str]) -> Check:
    """Whether there is a device of a kind."""
    if names:
        return Check(f"{kind}s", "ok", ", ".join(names))
    return Check(f"{kind}s", "warning", "none", f"plug a {kind} in, or go on without one")


async def check_sound(seconds: float, *, speaker: bool) -> list[Check]:
    """Listen, with a soft noise on the loudspeaker: level, clock and echo."""
    microphone, loudspeaker = Microphone(), Loudspeaker()
    try:
        await microphone.start()
        if speaker:
            await loudspeaker.start()
    except MediaError as error:
        await microphone.close()
        return [Check("sound", "warning", f"{error.code}: {error.message}", _advice_for(error))]
    try:
        level_dbfs, drift_ppm, echo = await _listen(microphone, loudspeaker, seconds, speaker=speaker)
    except MediaError as error:
        return [Check("sound", "warning", f"{error.code}: {error.message}", _advice_for(error))]
    finally:
        await microphone.close()
        await loudspeaker.close()
    return [_level(level_dbfs), _clock(drift_ppm), *([_echo(echo)] if speaker else [])]


async def _listen(
    microphone: Microphone, loudspeaker: Loudspeaker, seconds: float, *, speaker: bool
) -> tuple[float, float, dsp.CaptureStats]:
    """The loudest level in dBFS, the microphone's drift in ppm, and what the echo canceller found."""
    chain = dsp.CapturePipeline(ENGINE_RATE_HZ, noise_suppression=False)
    heard, played, to_sink = RateConverter(), RateConverter(), RateConverter(loudspeaker.sample_rate_hz)
    mic_hz, sink_hz = microphone.sample_rate_hz, loudspeaker.sample_rate_hz
    random = np.random.default_rng(1)
    loop = asyncio.get_running_loop()
    began, loudest = loop.time(), -120.0
    arrivals: list[float] = []
    while loop.time() - began < seconds:
        if speaker:
            noise = (0.1 * random.standard_normal(FRAME_SAMPLES)).astype(np.float32)
            loudspeaker.write(to_sink(noise, ENGINE_RATE_HZ))
        captured = heard(await microphone.read(mic_hz // 100), mic_hz)
        arrivals.append(loop.time())
        far = played(loudspeaker.played(sink_hz // 100), sink_hz)
        chain.process(captured, far)
        loudest = max(loudest, chain.stats.input_level_dbfs)
    return loudest, drift_of(arrivals), chain.stats


def drift_of(arrivals: list[float]) -> float:
    """How much faster frames of 10 ms arrive than they should, in ppm: a straight line through all but the start."""
    steady = np.array(arrivals[len(arrivals) // 5 :])
    if len(steady) < 2:
        return 0.0
    frame_s = np.polyfit(np.arange(len(steady)), steady, 1)[0]
    return float(1e6 * (FRAME_SAMPLES / ENGINE_RATE_HZ / frame_s - 1))


def _level(level_dbfs: float) -> Check:
    found = f"{level_dbfs:.0f} dBFS at its loudest"
    if level_dbfs > QUIET_DBFS:
        return Check("microphone level", "ok", found)
    return Check("microphone level", "warning", found, "the microphone hears nothing: unmute it, or choose another")


def _clock(drift_ppm: float) -> Check:
    """In some seconds a drift is measured no better than to a few hundred ppm: only gross faults show."""
    found = f"{drift_ppm:+.0f} ppm against this computer's clock, measured roughly"
    if abs(drift_ppm) < 20 * MUCH_DRIFT_PPM:
        return Check("clock", "ok", found)
    return Check("clock", "warning", found, "the device runs at another rate than it says: set it to 48 kHz")


def _echo(stats: dsp.CaptureStats) -> Check:
    if stats.delay_ms > 0:
        found = f"{stats.delay_ms:.0f} ms after the loudspeaker, {stats.erle_db:.0f} dB taken out"
        return Check("echo", "ok", found)
    return Check("echo", "ok", "none heard: a headset, or the loudspeaker is off")


def _advice_for(error: MediaError) -> str:
    return {
        "DEVICE_IN_USE": "close the other program that uses it",
        "MEDIA_PERMISSION_DENIED": "allow this program to use it in the system's settings",
    }.get(error.code, "plug it in, or choose another")
