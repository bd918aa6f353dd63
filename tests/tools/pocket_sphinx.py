"""What a decoder of PocketSphinx makes of a whole recording."""

from __future__ import annotations

from typing import Any

import numpy as np


def words_heard(decoder: Any, sound: Any) -> list[str]:
    """The words in `sound`, float at the decoder's rate, in order."""
    decoder.start_utt()
    decoder.process_raw((np.clip(sound, -1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return found.hypstr.split() if found else []
