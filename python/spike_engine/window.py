"""The AI in a window: one call, with pygame (the ``window`` extra)."""

from __future__ import annotations

import asyncio
from typing import Any

from spike_engine import frames
from spike_engine.client import SpikeClient
from spike_engine.events.state import ConversationState

REFRESH_S = 1 / 30
BACKGROUND, TEXT, METER = (16, 18, 24), (235, 235, 235), (90, 200, 120)
MARGIN, TEXT_SIZE = 12, 22


async def show(client: SpikeClient, *, title: str = "spike_engine", width: int = 640, height: int = 440) -> None:
    """Show the AI's picture, its words and its level until the conversation ends or the window is closed.

    The client must have joined. Closing the window ends this call and not the conversation.

    Args:
        client: Whose AI to show.
        title: Of the window.
        width: Of the window, pixels.
        height: The same.

    Raises:
        ImportError: pygame is not installed.
    """
    try:
        import pygame  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise ImportError('a window needs pygame: pip install "spike-engine[window]"') from error
    pygame.display.init()
    pygame.font.init()
    screen = pygame.display.set_mode((width, height), pygame.RESIZABLE)
    pygame.display.set_caption(title)
    view = _View(pygame, screen)
    watching = asyncio.create_task(_watch(client, view))
    try:
        while client.state.status != "disconnected" and not any(
            event.type == pygame.QUIT for event in pygame.event.get()
        ):
            view.draw(client.state)
            await asyncio.sleep(REFRESH_S)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        pygame.display.quit()


async def _watch(client: SpikeClient, view: _View) -> None:
    """Keep the newest picture; wait for one where there is none yet."""
    async for state in client.observe():
        if state.ai_video_track:
            break
    async for picture in client.ai_pictures("rgb24", in_step=True):
        view.picture = picture


class _View:
    """Draws one state."""

    def __init__(self, pygame: Any, screen: Any) -> None:
        self.picture: Any = None
        self._pygame = pygame
        self._screen = screen
        self._font = pygame.font.Font(None, TEXT_SIZE)

    def draw(self, state: ConversationState) -> None:
        width, height = self._screen.get_size()
        words = 3 * TEXT_SIZE + 2 * MARGIN
        self._screen.fill(BACKGROUND)
        self._draw_picture(width, height - words)
        level = self._pygame.Rect(0, height - words, round(width * min(1.0, 2 * state.audio_level)), 4)
        self._screen.fill(METER, level)
        lines = f"AI: {state.ai_transcript}", f"you: {state.user_transcript}"
        for number, line in enumerate(lines):
            text = self._font.render(line, True, TEXT)
            self._screen.blit(text, (MARGIN, height - words + MARGIN + number * TEXT_SIZE))
        self._pygame.display.flip()

    def _draw_picture(self, width: int, height: int) -> None:
        if self.picture is None or height < 1:
            return
        rows, columns = self.picture.shape[:2]
        scale = min(width / columns, height / rows)
        size = max(1, round(columns * scale)), max(1, round(rows * scale))
        scaled = frames.convert(self.picture, "rgb24", "rgb24", width=size[0], height=size[1])
        surface = self._pygame.image.frombuffer(scaled.tobytes(), size, "RGB")
        self._screen.blit(surface, ((width - size[0]) // 2, (height - size[1]) // 2))
