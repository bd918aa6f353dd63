"""Microphones and loudspeakers of a sound server that are switched, unplugged and plugged in again.

PortAudio sees its environment once, so that one sound server, which :mod:`sound_card` starts, serves a whole ordeal.
"""

from __future__ import annotations

import asyncio

from endpoints import RecordingLoudspeaker

from hardships.model import NumberingBot, Round, Wrong, client_of
from hardships.recordings import check_recordings
from spike_engine import DeviceNotFound, MediaError
from spike_engine.cli.join import Recording

MOST_SILENCE = 0.001


async def pactl(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec("pactl", *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise Wrong(f"pactl {arguments} failed")
    return output.decode().strip()


async def plug_in(name: str) -> str:
    """A microphone that whistles; returns what unplugs it."""
    return await pactl("load-module", "module-sine-source", f"source_name={name}", "frequency=440")


async def devices_come_and_go(round_: Round) -> None:
    """Switched twice, then unplugged in the call: told once, the rest goes on, and another takes its place."""
    modules = {name: await plug_in(name) for name in ("desk", "headset")}
    errors: list[MediaError] = []
    try:
        async with NumberingBot() as bot:
            client, model = client_of(
                bot.url,
                audio_source="desk",
                audio_output=round_.chance.choice(["loudspeaker", RecordingLoudspeaker()]),
                echo_cancellation=round_.chance.random() < 0.5,
            )
            client.on("error", errors.append)
            with Recording(round_.folder) as recording:
                client.add_audio_tap(recording.tap)
                async with client:
                    await bot.talk(0.5)
                    for name in round_.chance.choices(["desk", "headset"], k=2):
                        await client.set_audio_device(name)
                        await bot.talk(0.3)
                    await client.set_audio_device("headset")
                    await _refuse_what_is_missing(client)
                    if errors:
                        raise Wrong(f"{errors} while devices were switched")
                    await pactl("unload-module", modules.pop("headset"))
                    async with asyncio.timeout(20):
                        while not errors:
                            await asyncio.sleep(0.05)
                    await client.set_audio_device("desk")
                    await client.set_output_device("air")
                    await bot.talk(0.5)
                    await model.heard_all(bot)
        model.check()
        if [type(error) for error in errors] != [DeviceNotFound] or model.lifecycle[:-1] != ["connected"]:
            raise Wrong(f"{errors}, {model.lifecycle} for one microphone that was unplugged")
        check_recordings(round_.folder, at_least_s=1.0)
    finally:
        for module in modules.values():
            await pactl("unload-module", module)


async def _refuse_what_is_missing(client: object) -> None:
    try:
        await client.set_audio_device("nothing")  # type: ignore[attr-defined]
    except DeviceNotFound:
        return
    raise Wrong("a microphone that is not there was taken")
