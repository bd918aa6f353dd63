"""Speech from espeak-ng, which is licensed under the GPL 3 and therefore stays in a process of its own."""

from __future__ import annotations

import ctypes
from typing import Any

import espeakng_loader

# Names and values of espeak-ng's speak_lib.h
AUDIO_OUTPUT_SYNCHRONOUS = 2
ESPEAK_CHARS_UTF8 = 1
ESPEAK_RATE = 1
ESPEAK_PITCH = 3
EVENT_LIST_TERMINATED = 0
EVENT_WORD = 1
EVENT_PHONEME = 7
INITIALIZE_PHONEME_EVENTS = 1
INITIALIZE_PHONEME_IPA = 2


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Worker:
    """Turns ``{text, voice, words_per_minute, pitch}`` into ``{sample_rate_hz, words, phonemes}`` and mono int16.

    Each word is ``[start in seconds, end as an index into the text]``, each phoneme ``[start in seconds, IPA]``; an
    empty one is a pause.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data_path = str(espeakng_loader.get_data_path()).encode()
        self._rate_hz = self._library.espeak_Initialize(
            AUDIO_OUTPUT_SYNCHRONOUS, 0, data_path, INITIALIZE_PHONEME_EVENTS | INITIALIZE_PHONEME_IPA
        )
        if self._rate_hz <= 0:
            raise RuntimeError("espeak-ng does not find its data")
        self._callback = _Callback(self._collect)  # kept: the library holds only a pointer to it
        self._library.espeak_SetSynthCallback(self._callback)
        self._pcm = bytearray()
        self._words: list[tuple[float, int]] = []
        self._phonemes: list[tuple[float, str]] = []

    def handle(self, request: dict[str, Any], _payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Speak one text."""
        if self._library.espeak_SetVoiceByName(request["voice"].encode()):
            raise ValueError(f"espeak-ng has no voice {request['voice']!r}")
        self._library.espeak_SetParameter(ESPEAK_RATE, request["words_per_minute"], 0)
        self._library.espeak_SetParameter(ESPEAK_PITCH, request["pitch"], 0)
        self._pcm.clear()
        self._words.clear()
        self._phonemes.clear()
        text = request["text"].encode()
        self._library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 0, 0, ESPEAK_CHARS_UTF8, None, None)
        timing = {"words": self._words, "phonemes": self._phonemes}
        return {"sample_rate_hz": self._rate_hz, **timing}, bytes(self._pcm)

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._pcm += ctypes.string_at(samples, count * ctypes.sizeof(ctypes.c_short))
        index = 0
        while events[index].type != EVENT_LIST_TERMINATED:
            event = events[index]
            start_s = event.audio_position / 1000
            if event.type == EVENT_WORD:  # its position counts characters from 1
                self._words.append((start_s, event.text_position - 1 + event.length))
            elif event.type == EVENT_PHONEME:
                self._phonemes.append((start_s, event.id.string.decode("utf-8", "ignore")))
            index += 1
        return 0
