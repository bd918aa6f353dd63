"""Devices as programs name them, opened: what a program brings is guarded, the engine's own need no guard."""

from __future__ import annotations

from typing import Any

from spike_engine.devices import AudioSink, AudioSource
from spike_engine.lifetime import Lifetime
from spike_engine.sources.guard import CLOSE_LIMIT_S, Report
from spike_engine.sources.guarded import GuardedSink, GuardedSound
from spike_engine.sources.resolve import audio_source_of, named, sink_of


def microphone_of(given: Any, option: str, on_error: Report) -> AudioSource:
    """What `given`, the value of `option`, means as a microphone; not started.

    Raises:
        InvalidOption: It is no source.
    """
    found = audio_source_of(given)
    return found if isinstance(given, str) else GuardedSound(found, named(option, given), on_error)


def loudspeaker_of(given: Any, option: str, on_error: Report) -> AudioSink:
    """The same as a loudspeaker."""
    found = sink_of(given)
    return found if isinstance(given, str) else GuardedSink(found, named(option, given), on_error)


async def started(device: Any, *, runs: bool = True) -> Any:
    """`device`, started; with `runs`, a real one also runs already, so that taking it over leaves no gap.

    Where that fails or is cancelled, it is closed again.

    Raises:
        MediaError: It cannot be opened.
    """
    try:
        await device.start()
        if runs and (ready := getattr(device, "ready", None)):
            await ready()
    except BaseException:
        opened = Lifetime(CLOSE_LIMIT_S)
        opened.add(device.close)
        await opened.close()
        raise
    return device
