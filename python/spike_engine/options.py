"""The options of a client, checked before anything is opened."""

from __future__ import annotations

import functools
import inspect
import logging
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeAlias, TypeVar, get_args
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from spike_engine.addresses.hosts import is_on_the_local_network
from spike_engine.addresses.ice import IceServer
from spike_engine.addresses.web import checked, is_in_the_clear, shown
from spike_engine.devices import AudioSink, AudioSource, VideoSource
from spike_engine.dsp.noise import NoiseMode
from spike_engine.errors import InvalidOption
from spike_engine.events import AnyHandler

__all__ = [
    "TRANSPORTS",
    "AudioInput",
    "AudioOutput",
    "ClientOptions",
    "IceServer",
    "VideoInput",
    "VideoQuality",
    "built_from",
    "trusted",
]

logger = logging.getLogger(__name__)

TURN_DETECTIONS = ("server", "local", "push-to-talk")
TRANSPORTS = ("smallwebrtc", "openai", "whip", "daily")


class Track(Protocol):
    """What of an aiortc track is used."""

    def recv(self) -> Awaitable[Any]:
        """The next frame."""

    def stop(self) -> None:
        """End it."""


# What stands for a device: its id, an object that does what one does, or what spike_engine.sources makes one of.
AudioInput: TypeAlias = str | AudioSource | Path | NDArray[Any] | AsyncIterator[NDArray[Any]] | Track
VideoInput: TypeAlias = str | VideoSource | Path | NDArray[Any] | AsyncIterator[NDArray[Any]] | Track
AudioOutput: TypeAlias = str | AudioSink | None


class VideoQuality(StrEnum):
    """How large and how often pictures are sent."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def width(self) -> int:
        """Pixels."""
        return {"low": 320, "medium": 640, "high": 1280}[self.value]

    @property
    def height(self) -> int:
        """Pixels."""
        return self.width * 9 // 16

    @property
    def fps(self) -> int:
        """Pictures in a second."""
        return {"low": 15, "medium": 24, "high": 30}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """Everything that :class:`~spike_engine.SpikeClient` can be told.

    Attributes:
        conversation_url: ``http://`` or ``https://`` address of the conversation. Its query is kept, its fragment cut.
        token: The conversation's token, as its server gave it; blanks and line breaks around it are cut. It goes to
            the origin of `conversation_url` and nowhere else.
        audio: Send the microphone.
        video: Send the camera and receive the AI's picture; False is voice only.
        audio_source: ``"default"``, the id of a microphone, an object with the methods of
            :class:`~spike_engine.devices.AudioSource`, or a file, array, async iterator or aiortc track, as
            :mod:`spike_engine.sources` takes them.
        video_source: The same for a camera or a :class:`~spike_engine.devices.VideoSource`; ``"screen"`` is what this
            machine's screen shows.
        audio_output: Where the AI's voice plays: ``"default"``, the id of a loudspeaker, an
            :class:`~spike_engine.devices.AudioSink`, or None to leave it to the program (``get_ai_audio_track()``).
        echo_cancellation: Take the AI's voice out of the microphone.
        noise_suppression: Take noise out of the microphone. ``"recogniser"`` takes out no more than a speech recogniser
            can bear, where the AI hears by one and nobody else listens; the modes are those of
            :class:`~spike_engine.dsp.NoiseSuppressor`.
        auto_gain_control: Bring the voice to one loudness, -23 dBFS, whoever talks and however far away.
        video_quality: ``"low"`` 320x180 at 15, ``"medium"`` 640x360 at 24, ``"high"`` 1280x720 at 30 pictures a second.
        on_connected: Handler of ``connected``.
        on_disconnected: Handler of ``disconnected``.
        on_error: Handler of ``error``.
        turn_detection: Who says that the user speaks: ``"server"``; ``"local"``, the engine's own detector on the
            cleaned microphone; or ``"push-to-talk"``, the program, by ``start_talking()`` and ``stop_talking()``. A
            server that does not say leaves it to the engine.
        transport: ``"smallwebrtc"``, ``"openai"``, ``"whip"``, ``"daily"``, a callable that takes these options and
            returns a :class:`~spike_engine.transports.base.Transport`, or None to choose by the address.
        join_timeout_s: How long ``join()``, or one attempt to reconnect, waits for a sign of the server's, in seconds,
            and then for the AI. While packets come, on a network that loses many, connecting may take four times as
            long.
        auto_reconnect: Bring the conversation back by itself when the network broke, for up to a minute.
        catch_up: Keep what the user says while the network is cut, up to 12 s of it, and send it at 1.25 times its
            speed, without its long pauses, when the network is back. What was muted is never sent.
        ice_servers: STUN and TURN servers: addresses, mappings as browsers take them, or :class:`IceServer`. Those
            that the conversation's server names come on top.
        ice_transport_policy: ``"all"``, or ``"relay"`` to send nothing but through a TURN server.
        allow_insecure: Send the token over plain ``http://`` to other machines, so that everybody on the way can read
            it. Without it, such an address is refused; one of a private network, such as ``http://192.168.1.7``, is
            asked without the token, and a warning says so. ``http://`` to this machine is always allowed.
        ca_file: A file of certificates (PEM) whose owners are trusted besides the system's, for ``https://`` servers
            with a certificate of your own. Every server's certificate is verified.

    Raises:
        InvalidOption: A value that is not accepted; the message names the option and what it accepts.
    """

    conversation_url: str
    token: str = field(repr=False)
    audio: bool = True
    video: bool = True
    audio_source: AudioInput = "default"
    video_source: VideoInput = "default"
    audio_output: AudioOutput = "default"
    echo_cancellation: bool = True
    noise_suppression: bool | NoiseMode = True
    auto_gain_control: bool = True
    video_quality: Literal["low", "medium", "high"] | VideoQuality = VideoQuality.HIGH
    on_connected: AnyHandler | None = None
    on_disconnected: AnyHandler | None = None
    on_error: AnyHandler | None = None
    turn_detection: Literal["server", "local", "push-to-talk"] = "server"
    transport: Literal["smallwebrtc", "openai", "whip", "daily"] | Callable[[ClientOptions], Any] | None = None
    join_timeout_s: float = 4.5
    auto_reconnect: bool = True
    catch_up: bool = True
    ice_servers: Sequence[str | Mapping[str, Any] | IceServer] = ()
    ice_transport_policy: Literal["all", "relay"] = "all"
    allow_insecure: bool = False
    ca_file: str | Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "conversation_url", checked(self.conversation_url))
        object.__setattr__(self, "token", _token(self.token))
        for option in fields(self):
            value = getattr(self, option.name)
            if option.type == "bool" and not isinstance(value, bool):
                raise InvalidOption(f"{option.name} must be True or False, not {value!r}")
            if option.name.startswith("on_") and value is not None and not callable(value):
                raise InvalidOption(f"{option.name} must be callable or None, not {value!r}")
        _check_suppression(self.noise_suppression)
        for name in ("audio_source", "video_source"):
            _check_endpoint(name, getattr(self, name), "read", "recv", "__anext__")
        if self.audio_output is not None:
            _check_endpoint("audio_output", self.audio_output, "write")
        object.__setattr__(self, "video_quality", _quality(self.video_quality))
        if not isinstance(self.join_timeout_s, int | float) or not 0 < self.join_timeout_s < float("inf"):
            raise InvalidOption(f"join_timeout_s must be a number of seconds above 0, not {self.join_timeout_s!r}")
        if isinstance(self.ice_servers, str | Mapping) or not isinstance(self.ice_servers, Sequence):
            raise InvalidOption(f"ice_servers must be a list, not {self.ice_servers!r}")
        object.__setattr__(self, "ice_servers", tuple(IceServer.of(server) for server in self.ice_servers))
        if self.ice_transport_policy not in ("all", "relay"):
            raise InvalidOption(f"ice_transport_policy must be 'all' or 'relay', not {self.ice_transport_policy!r}")
        if self.turn_detection not in TURN_DETECTIONS:
            accepted = ", ".join(repr(name) for name in TURN_DETECTIONS)
            raise InvalidOption(f"turn_detection must be one of {accepted}, not {self.turn_detection!r}")
        if self.transport not in (None, *TRANSPORTS) and not callable(self.transport):
            accepted = ", ".join(repr(name) for name in TRANSPORTS)
            raise InvalidOption(f"transport must be None, {accepted} or a callable, not {self.transport!r}")
        if not self.allow_insecure and is_in_the_clear(self.conversation_url):
            if not is_on_the_local_network(self.conversation_url):
                raise InvalidOption(
                    f"conversation_url {shown(self.conversation_url)!r} would send the token in the clear: "
                    "it must begin with https://, or allow_insecure must be True"
                )
            logger.warning(
                "%s is asked without the token, which http:// would show to everybody on the way: "
                "use https://, or allow_insecure=True",
                urlsplit(self.conversation_url).hostname,
            )
        _ = trusted(self.ca_file)

    @property
    def quality(self) -> VideoQuality:
        """`video_quality` as the enum that it is after validation."""
        return VideoQuality(self.video_quality)


P = ParamSpec("P")
Owner = TypeVar("Owner")
Built = TypeVar("Built")


def built_from(
    build: Callable[P, Built],
) -> Callable[[Callable[[Owner, Built], None]], Callable[Concatenate[Owner, P], None]]:
    """A decorator for an ``__init__`` that needs what `build` makes: it then takes what `build` takes."""

    def decorate(init: Callable[[Owner, Built], None]) -> Callable[Concatenate[Owner, P], None]:
        def build_and_init(self: Owner, /, *args: P.args, **kwargs: P.kwargs) -> None:
            init(self, build(*args, **kwargs))

        functools.update_wrapper(build_and_init, init)
        owner, _ = inspect.signature(init).parameters.values()
        taken = inspect.signature(build).parameters.values()
        build_and_init.__signature__ = inspect.Signature([owner, *taken])  # type: ignore[attr-defined]
        return build_and_init

    return decorate


def trusted(ca_file: str | Path | None) -> ssl.SSLContext | None:
    """What TLS trusts: the system's authorities and those of `ca_file`; None for the system's alone.

    Raises:
        InvalidOption: `ca_file` cannot be read.
    """
    if ca_file is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidOption(f"ca_file must be a file of certificates (PEM); {str(ca_file)!r}: {error}") from error
    return context


def _token(token: object) -> str:
    """A token as it can stand in a header (RFC 9110 section 5.5). It is a secret: no message repeats it."""
    if not isinstance(token, str) or not token.strip():
        raise InvalidOption("token must be a string that is not empty")
    token = token.strip()
    if not re.fullmatch(r"[!-~]+", token):
        raise InvalidOption("token must hold neither blanks, line breaks nor characters outside ASCII")
    return token


def _check_suppression(value: object) -> None:
    if not isinstance(value, bool | str) or value not in (True, False, *get_args(NoiseMode)):
        accepted = ", ".join(repr(name) for name in get_args(NoiseMode))
        raise InvalidOption(f"noise_suppression must be True, False, {accepted}, not {value!r}")


def _check_endpoint(name: str, value: object, *methods: str) -> None:
    if isinstance(value, str) and value:
        return
    if "recv" in methods and isinstance(value, Path | np.ndarray):
        return
    if not any(callable(getattr(value, method, None)) for method in methods):
        more = ", a Path, an array, an async iterator or a track" if "recv" in methods else ""
        raise InvalidOption(
            f"{name} must be 'default', a device id or an object with {methods[0]}(){more}, not {value!r}"
        )


def _quality(value: object) -> VideoQuality:
    try:
        return VideoQuality(value)  # type: ignore[arg-type]
    except ValueError:
        accepted = ", ".join(repr(str(quality)) for quality in VideoQuality)
        raise InvalidOption(f"video_quality must be one of {accepted}, not {value!r}") from None
