from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import numpy as np
import pytest
from host import Host

from spike_engine.server import ConversationServer

RECORDINGS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")


@pytest.fixture
async def server() -> AsyncIterator[ConversationServer]:
    Host.all.clear()
    async with ConversationServer(persona=Host, max_conversations=4) as server:
        yield server


@pytest.fixture
def recording() -> Callable[[str], np.ndarray]:
    """Recorded prompts: mono int16 at 16 kHz."""
    if not RECORDINGS.is_dir():
        pytest.skip("needs the recordings of Debian's asterisk-core-sounds-en-g722")

    def load(name: str) -> np.ndarray:
        with av.open(str(RECORDINGS / f"{name}.g722"), format="g722") as container:
            return np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])

    return load
