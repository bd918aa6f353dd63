"""Files, arrays, generators and aiortc tracks in the place of microphones and cameras."""

from spike_engine.sources.audio import AudioArray, AudioFile, AudioStream, AudioTrack
from spike_engine.sources.resolve import audio_source_of, video_source_of
from spike_engine.sources.video import VideoFile, VideoStream, VideoTrack

__all__ = [
    "AudioArray",
    "AudioFile",
    "AudioStream",
    "AudioTrack",
    "VideoFile",
    "VideoStream",
    "VideoTrack",
    "audio_source_of",
    "video_source_of",
]
