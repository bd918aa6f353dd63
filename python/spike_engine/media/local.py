"""The local media of a conversation: microphone, camera and loudspeaker, open from join to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from spike_engine import devices
from spike_engine.devices import AudioSink, AudioSource, VideoSource
from spike_engine.devices.stand_ins import Silence
from spike_engine.errors import MediaError
from spike_engine.media.playback import Playback
from spike_engine.media.taps import AudioTap
from spike_engine.options import ClientOptions
from spike_engine.sources.guarded import GuardedPictures, GuardedSink, GuardedSound
from spike_engine.sources.resolve import audio_source_of, named, sink_of, video_source_of
from spike_engine.transports.base import LocalTracks

if TYPE_CHECKING:
    from spike_engine.media.capture import Capture
    from spike_engine.media.filming import Filming


class LocalMedia:
    """Opens, switches, mutes and closes the devices of one conversation. It is used once.

    Args:
        options: Which devices, and how their sound and pictures are treated.
        emit: Takes the error of a device that cannot be opened or fails; the conversation goes on without it.
        tap: Takes every block of audio that passes.
    """

    def __init__(self, options: ClientOptions, *, emit: Callable[[MediaError], None], tap: AudioTap) -> None:
        self.capture: Capture | None = None
        self.filming: Filming | None = None
        self.playback = Playback(Silence(), on_error=emit)
        self._options = options
        self._emit = emit
        self._tap = tap

    async def open(self, *, audio_enabled: bool, video_enabled: bool) -> None:
        """Open what the options ask for; what cannot be opened is told, and replaced by silence or left out."""
        output = self._options.audio_output
        if output is not None and (sink := await self._start(self._loudspeaker_of(output))):
            await self.playback.replace(sink)
        if self._options.audio:
            await self._open_microphone(enabled=audio_enabled)
        if self._options.video:
            await self._open_camera(enabled=video_enabled)

    async def close(self) -> None:
        """Close every device."""
        if self.filming:
            await self.filming.close()
        if self.capture:
            await self.capture.close()
        await self.playback.close()

    def tracks(self) -> LocalTracks:
        """New tracks for a new connection."""
        return LocalTracks(
            audio=self.capture.create_track() if self.capture else None,
            video=self.filming.create_track() if self.filming else None,
            wants_video=self._options.video,
        )

    def set_enabled(self, kind: Literal["audio", "video"], *, enabled: bool) -> bool:
        """Mute a source or not; False where there is none."""
        source = self.capture if kind == "audio" else self.filming
        if source:
            source.enabled = enabled
        return source is not None

    async def set_audio_source(self, source: AudioSource | str) -> None:
        """Capture from `source` from now on. On a :class:`MediaError` nothing changes."""
        if self.capture:
            opened = await _running(self._microphone_of(source))
            await self.capture.replace_source(opened)

    async def set_video_source(self, source: VideoSource | str) -> None:
        """Send the pictures of `source` from now on. On a :class:`MediaError` nothing changes."""
        if self.filming:
            opened = await _running(self._camera_of(source))
            await self.filming.replace_source(opened)

    async def set_audio_output(self, sink: AudioSink | str | None) -> None:
        """Play on `sink` from now on. On a :class:`MediaError` nothing changes."""
        opened = await _running(Silence() if sink is None else self._loudspeaker_of(sink))
        await self.playback.replace(opened)

    async def _open_microphone(self, *, enabled: bool) -> None:
        from spike_engine.media.capture import Capture  # noqa: PLC0415 (aiortc loads at first use)

        source = await self._start(self._microphone_of(self._options.audio_source)) or Silence()
        self.capture = Capture(
            source,
            self.playback,
            echo_cancellation=self._options.echo_cancellation,
            noise_suppression=self._options.noise_suppression,
            on_error=self._emit,
            tap=self._tap,
        )
        self.capture.enabled = enabled
        self.capture.start()

    async def _open_camera(self, *, enabled: bool) -> None:
        from spike_engine.media.filming import Filming  # noqa: PLC0415 (aiortc loads at first use)

        if camera := await self._start(self._camera_of(self._options.video_source)):
            quality = self._options.quality
            self.filming = Filming(
                camera, width=quality.width, height=quality.height, fps=quality.fps, on_error=self._emit
            )
            self.filming.enabled = enabled

    async def _start(self, device: Any) -> Any:
        """`device` once it is open; None and an ``error`` event where it cannot be: the call goes on without."""
        try:
            await device.start()
        except MediaError as error:
            self._emit(error)
            return None
        return device

    # A device of the engine says by itself what is wrong with it; what the program brings is guarded.

    def _microphone_of(self, source: Any) -> AudioSource:
        found = audio_source_of(source)
        return found if isinstance(source, str) else GuardedSound(found, named("audio_source", source), self._emit)

    def _camera_of(self, source: Any) -> VideoSource:
        quality = self._options.quality
        if isinstance(source, str):
            return devices.Camera(source, quality.width, quality.height, quality.fps)
        return GuardedPictures(video_source_of(source), named("video_source", source), self._emit)

    def _loudspeaker_of(self, sink: Any) -> AudioSink:
        found = sink_of(sink)
        return found if isinstance(sink, str) else GuardedSink(found, named("audio_output", sink), self._emit)


async def _running(device: Any) -> Any:
    """`device`, started; a real one also runs already, so that taking it over leaves no gap."""
    await device.start()
    if ready := getattr(device, "ready", None):
        try:
            await ready()
        except BaseException:
            await device.close()
            raise
    return device
