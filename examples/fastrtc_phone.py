"""A telephone number with a parrot, by FastRTC: python fastrtc_phone.py. It does not answer its own echo."""

import asyncio

from fastrtc import AsyncStreamHandler, Stream

from spike_engine.integrations.fastrtc import CleanHandler


class Parrot(AsyncStreamHandler):
    """Says what it hears."""

    def __init__(self):
        super().__init__(input_sample_rate=24000, output_sample_rate=24000)
        self.heard = asyncio.Queue()

    async def receive(self, frame):
        self.heard.put_nowait(frame)

    async def emit(self):
        return await self.heard.get()

    def copy(self):
        return Parrot()


stream = Stream(CleanHandler(Parrot()), modality="audio", mode="send-receive")

if __name__ == "__main__":
    stream.fastphone()  # or stream.ui.launch(), or stream.mount(app)
