"""The local media of a conversation: microphone, camera and loudspeaker, open from join to its end."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from spike_engine import devices
from spike_engine.devices import AudioSink, AudioSource, VideoSource
from spike_engine.devices.stand_ins import Silence
from spike_engine.errors import MediaError
from spike_engine.media.listener import MediaListener
from spike_engine.media.playback import Playback
from spike_engine.options import AudioInput, ClientOptions, VideoInput
from spike_engine.sources.guarded import GuardedPictures
from spike_engine.sources.opened import loudspeaker_of, microphone_of, started
from spike_engine.sources.resolve import named, video_source_of
from spike_engine.transports.base import LocalTracks

if TYPE_CHECKING:
    from spike_engine.media.capture import Capture
    from spike_engine.media.filming import Filming
    from spike_engine.media.reading import Reading

User: TypeAlias = "Playback | Reading[Any, Any]"


class LocalMedia:
    """Opens, switches and closes the devices of one conversation. It is used once.

    Args:
        options: Which devices, and how their sound and pictures are treated.
        listener: Hears every block of audio, and of a device that cannot be opened or fails: the conversation goes on
            without it.
    """

    def __init__(self, options: ClientOptions, listener: MediaListener) -> None:
        self.playback = Playback(listener)
        self.capture: Capture | None = _capture(options, self.playback, listener) if options.audio else None
        self.filming: Filming | None = _filming(options, listener) if options.video else None
        there = {"audio": self.capture, "video": self.filming}
        self.readings: dict[str, Reading[Any, Any]] = {kind: reading for kind, reading in there.items() if reading}
        self._options = options
        self._listener = listener
        self._turns: defaultdict[object, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._given: dict[object, object] = {}  # what each of them uses, as the program gave it

    async def open(self) -> None:
        """Open what the options ask for, side by side; what cannot be opened is told, and something stands in for it.

        Raises:
            InvalidOption: A source is none.
        """
        options = self._options
        found: list[tuple[User, Any, Any]] = []
        if options.audio_output is not None:
            found.append((self.playback, options.audio_output, self._loudspeaker_of(options.audio_output)))
        if self.capture:
            found.append((self.capture, options.audio_source, self._microphone_of(options.audio_source)))
        if self.filming:
            found.append((self.filming, options.video_source, self._camera_of(options.video_source)))
        await asyncio.gather(*(self._open(*each) for each in found))

    async def close(self) -> None:
        """Close every device; may be called twice."""
        await asyncio.gather(*(reading.close() for reading in self.readings.values()), self.playback.close())

    def tracks(self) -> LocalTracks:
        """New tracks for a new connection."""
        return LocalTracks(
            audio=self.capture.create_track() if self.capture else None,
            video=self.filming.create_track() if self.filming else None,
            wants_video=self._options.video,
        )

    def away(self) -> None:
        """Nobody hears the user until :meth:`back`: what is said meanwhile is kept."""
        if self.capture and self.capture.catch_up:
            self.capture.catch_up.away()

    def back(self) -> None:
        """Somebody hears the user from now on, and what was kept."""
        if self.capture and self.capture.catch_up:
            self.capture.catch_up.back()

    def when_sent(self, kind: str, call: Callable[[], None]) -> None:
        """Call `call` when all of ``"audio"`` or ``"video"`` is sent up to now: at once, but a voice may be late."""
        if kind == "audio" and self.capture and self.capture.catch_up:
            self.capture.catch_up.when_sent(call)
        else:
            call()

    def muted(self) -> list[str]:
        """Those of ``"audio"`` and ``"video"`` that are there and are not sent."""
        return [kind for kind in self.readings if not self._listener.is_enabled(kind)]

    async def set_audio_source(self, source: AudioInput) -> None:
        """Capture from `source` from now on. On a :class:`MediaError` nothing changes."""
        if self.capture:
            await self._switch(self.capture, source, self._microphone_of)

    async def set_video_source(self, source: VideoInput) -> None:
        """Send the pictures of `source` from now on. On a :class:`MediaError` nothing changes."""
        if self.filming:
            await self._switch(self.filming, source, self._camera_of)

    async def set_audio_output(self, sink: AudioSink | str | None) -> None:
        """Play on `sink` from now on. On a :class:`MediaError` nothing changes."""
        await self._switch(self.playback, sink, self._loudspeaker_of)

    async def _open(self, user: User, given: object, device: Any) -> None:
        """Have `user` use `device`, made of `given`, or what stands in for it where it cannot be opened."""
        async with self._turns[user]:
            try:
                await started(device, runs=False)
            except MediaError as error:
                self._listener.on_error(error)
                device = user.stand_in()
            else:
                self._given[user] = given
            await user.replace(device)

    async def _switch(self, user: User, given: Any, device_of: Callable[[Any], Any]) -> None:
        """Have `user` use what `device_of` makes of `given`, one wish after the other.

        An object that is in use already is left as it is, since opening it again would close it as the one before;
        one that has failed is closed first.
        """
        async with self._turns[user]:
            again = given is self._given.get(user) and not isinstance(given, str | Path | np.ndarray | None)
            if again and (device := user.device):
                if not getattr(device, "failed", False):
                    return
                await device.close()
            await user.replace(await started(device_of(given)))
            self._given[user] = given

    def _microphone_of(self, source: Any) -> AudioSource:
        return microphone_of(source, "audio_source", self._listener.on_error)

    def _loudspeaker_of(self, sink: Any) -> AudioSink:
        return Silence() if sink is None else loudspeaker_of(sink, "audio_output", self._listener.on_error)

    def _camera_of(self, source: Any) -> VideoSource:
        quality = self._options.quality
        if isinstance(source, str):
            if source == devices.SCREEN:
                return devices.Screen(quality.fps)
            return devices.Camera(source, quality.width, quality.height, quality.fps)
        return GuardedPictures(video_source_of(source), named("video_source", source), self._listener.on_error)


def _capture(options: ClientOptions, playback: Playback, listener: MediaListener) -> Capture:
    from spike_engine.media.capture import Capture  # noqa: PLC0415 (aiortc loads at first use)

    return Capture(
        playback,
        listener,
        echo_cancellation=options.echo_cancellation,
        noise_suppression=options.noise_suppression,
        gain_control=options.auto_gain_control,
        catch_up=options.catch_up,
    )


def _filming(options: ClientOptions, listener: MediaListener) -> Filming:
    from spike_engine.media.filming import Filming  # noqa: PLC0415 (aiortc loads at first use)

    quality = options.quality
    return Filming(listener, width=quality.width, height=quality.height, fps=quality.fps)
