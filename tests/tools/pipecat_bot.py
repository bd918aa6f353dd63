"""A bot of pipecat's, run by pipecat's own runner: python pipecat_bot.py -t webrtc --port N.

It needs no account: its mind is a processor that hears by loudness, says what it is told by the client's messages in a
hum, and shows the user's picture upside down in colour.
"""

from __future__ import annotations

import asyncio

import numpy as np
from pipecat.frames.frames import (
    AggregatedTextFrame,
    AggregatedTextProgressFrame,
    EndWorkerFrame,
    Frame,
    FunctionCallFromLLM,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InputImageRawFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMMessagesAppendFrame,
    OutputImageRawFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    UserImageRawFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIObserverParams
from pipecat.processors.frameworks.rtvi.frames import (
    RTVIClientMessageFrame,
    RTVIServerMessageFrame,
    RTVIServerResponseFrame,
)
from pipecat.processors.frameworks.rtvi.observer import RTVIFunctionCallReportLevel
from pipecat.runner.utils import create_transport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 24000
SECONDS_PER_WORD = 0.25
LOUD = 0.05
SILENT_BLOCKS = 25  # half a second


class Mind(FrameProcessor):
    def __init__(self) -> None:
        super().__init__()
        self.user_speaks = False
        self.silent_blocks = 0
        self.speaking: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case InputAudioRawFrame():
                await self.hear(np.frombuffer(frame.audio, np.int16).astype(np.float32) / 32768)
                return
            case UserImageRawFrame(append_to_context=True):
                about = {"text": frame.text, "size": frame.size, "format": frame.format, "run": frame.run_llm}
                await self.push_frame(RTVIServerMessageFrame(data={"type": "picture", **about}))
            case InputImageRawFrame():
                await self.look(frame)
                return
            case InterruptionFrame():
                await self.fall_silent()
            case LLMMessagesAppendFrame(run_llm=False):
                told = {"type": "context", "content": frame.messages[0]["content"], "run": frame.run_llm}
                await self.push_frame(RTVIServerMessageFrame(data=told))
            case InputDTMFFrame():
                await self.push_frame(RTVIServerMessageFrame(data={"type": "key", "button": str(frame.button)}))
            case LLMMessagesAppendFrame():
                await self.say(f"You wrote {frame.messages[0]['content']}")
            case RTVIClientMessageFrame():
                await self.obey(frame)
            case FunctionCallResultFrame() if direction == FrameDirection.DOWNSTREAM:
                await self.push_frame(RTVIServerMessageFrame(data={"type": "used", "result": frame.result}))
        await self.push_frame(frame, direction)

    async def hear(self, sound: np.ndarray) -> None:
        loud = float(np.sqrt(np.mean(np.square(sound)))) > LOUD
        self.silent_blocks = 0 if loud else self.silent_blocks + 1
        if loud and not self.user_speaks:
            self.user_speaks = True
            await self.broadcast_frame(UserStartedSpeakingFrame)
            await self.broadcast_interruption()
            await self.fall_silent()
        elif self.user_speaks and self.silent_blocks > SILENT_BLOCKS:
            self.user_speaks = False
            await self.push_frame(InterimTranscriptionFrame("la la", "user", "now"))
            await self.push_frame(TranscriptionFrame("la la la", "user", "now"))
            await self.broadcast_frame(UserStoppedSpeakingFrame)
            await self.say("That was a lovely song")

    async def look(self, frame: InputImageRawFrame) -> None:
        picture = 255 - np.frombuffer(frame.image, np.uint8)
        await self.push_frame(OutputImageRawFrame(image=picture.tobytes(), size=frame.size, format="RGB"))

    async def obey(self, message: RTVIClientMessageFrame) -> None:
        match message.type:
            case "echo":
                await self.push_frame(RTVIServerResponseFrame(client_msg=message, data=message.data))
            case "refuse":
                await self.push_frame(RTVIServerResponseFrame(client_msg=message, data=None, error="I will not"))
            case "append-to-context":
                await self.push_frame(RTVIServerMessageFrame(data={"type": message.type, "data": message.data}))
            case "say":
                await self.say(message.data)
            case "perceive":
                seen = {"emotion": "happy", "gesture": "wave"}
                await self.push_frame(RTVIServerMessageFrame(data={"type": "perception", **seen}))
            case "tell":
                await self.push_frame(RTVIServerMessageFrame(data=message.data))
            case "use":
                await self.use("look_up", "call-1", {"word": "spike"})
            case "fail":
                await self.push_error("something small broke")
            case "die":
                await self.push_error("everything broke", fatal=True)
            case "end":
                await self.push_frame(EndWorkerFrame(), FrameDirection.UPSTREAM)
            case "interrupt":
                await self.broadcast_interruption()
                await self.fall_silent()

    async def use(self, name: str, call_id: str, arguments: dict[str, str]) -> None:
        call = FunctionCallFromLLM(function_name=name, tool_call_id=call_id, arguments=arguments, context=None)
        await self.broadcast_frame(FunctionCallsStartedFrame, function_calls=[call])
        await self.broadcast_frame(
            FunctionCallInProgressFrame, function_name=name, tool_call_id=call_id, arguments=arguments
        )

    async def say(self, text: str) -> None:
        await self.fall_silent()
        self.speaking = self.create_task(self.speak(text))

    async def speak(self, text: str) -> None:
        """What an LLM and a TTS service with word timestamps would push."""
        await self.push_frame(LLMFullResponseStartFrame())
        await self.push_frame(LLMFullResponseEndFrame())
        await self.push_frame(TTSStartedFrame())
        segment = AggregatedTextFrame(text, text_type="sentence")
        segment.will_be_spoken = True
        await self.push_frame(segment)
        words = text.split()
        time_s = np.arange(int(RATE_HZ * SECONDS_PER_WORD)) / RATE_HZ
        hum = (8000 * np.sin(2 * np.pi * 220 * time_s)).astype(np.int16).tobytes()
        for spoken in range(1, len(words) + 1):
            await self.push_frame(TTSAudioRawFrame(hum, RATE_HZ, 1))
            progress = " ".join(words[:spoken]), " ".join(words[spoken:])
            await self.push_frame(AggregatedTextProgressFrame(segment.id, None, text, "sentence", *progress))
        await self.push_frame(TTSStoppedFrame())

    async def fall_silent(self) -> None:
        speaking, self.speaking = self.speaking, None
        if speaking and not speaking.done():
            await self.cancel_task(speaking)


async def bot(runner_args) -> None:
    params = TransportParams(
        audio_in_enabled=True,
        audio_out_enabled=True,
        audio_out_sample_rate=RATE_HZ,
        video_in_enabled=True,
        video_out_enabled=True,
        video_out_is_live=True,
        video_out_width=320,
        video_out_height=180,
        video_out_framerate=10,
    )
    transport = await create_transport(runner_args, {"webrtc": lambda: params})
    pipeline = Pipeline([transport.input(), Mind(), transport.output()])
    levels = {"*": RTVIFunctionCallReportLevel.FULL}
    worker = PipelineWorker(
        pipeline, rtvi_observer_params=RTVIObserverParams(function_call_report_level=levels), idle_timeout_secs=None
    )

    @transport.event_handler("on_client_connected")
    async def on_connected(transport, client) -> None:
        await transport.capture_participant_video(transport.get_client_id(client), framerate=10)

    await WorkerRunner(handle_sigint=False).run(worker)


if __name__ == "__main__":
    from pipecat.runner.run import main

    main()
