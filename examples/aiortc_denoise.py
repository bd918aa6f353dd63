"""The noise suppressor on a track of a plain aiortc program: python aiortc_denoise.py NOISY.wav RECEIVED.wav.

Two peers in this process: one sends NOISY.wav without its noise, the other records what arrives.
"""

import asyncio
import sys

from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.contrib.media import MediaPlayer, MediaRecorder

from spike_engine import dsp, frames


class DenoisedTrack(MediaStreamTrack):
    """Another track without its noise, mono at 48 kHz."""

    kind = "audio"

    def __init__(self, noisy: MediaStreamTrack) -> None:
        super().__init__()
        self.noisy = noisy
        self.suppressor = dsp.NoiseSuppressor(48000)
        self.resampler = None

    async def recv(self):
        frame = await self.noisy.recv()
        samples = frames.audio_to_ndarray(frame, dtype="int16", channels=1)
        if frame.sample_rate != 48000:
            self.resampler = self.resampler or dsp.Resampler(frame.sample_rate, 48000, dtype="int16")
            samples = self.resampler.process(samples)
        denoised = frames.audio_from_ndarray(self.suppressor.process(samples), sample_rate_hz=48000)
        denoised.pts, denoised.time_base = frame.pts, frame.time_base
        return denoised


async def main(noisy_path: str, received_path: str) -> None:
    sender, receiver = RTCPeerConnection(), RTCPeerConnection()
    recorder, ended = MediaRecorder(received_path), asyncio.Event()
    player = MediaPlayer(noisy_path)
    player.audio.on("ended", ended.set)

    receiver.on("track", recorder.addTrack)
    sender.addTrack(DenoisedTrack(player.audio))
    await sender.setLocalDescription(await sender.createOffer())
    await receiver.setRemoteDescription(sender.localDescription)
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(receiver.localDescription)
    await recorder.start()
    await ended.wait()
    await sender.close()
    await recorder.stop()
    await receiver.close()
    print(f"received {received_path}")


asyncio.run(main(*sys.argv[1:3]))
