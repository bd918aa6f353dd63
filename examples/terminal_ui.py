"""A user interface that redraws from the state: python terminal_ui.py URL TOKEN."""

import asyncio
import sys

from rich.live import Live
from rich.panel import Panel

from spike_engine import ConversationState, SpikeClient


def drawn(state: ConversationState) -> Panel:
    title = "AI" if state.is_ai_speaking else "thinking …" if state.is_ai_thinking else "listening …"
    meter = "█" * round(40 * state.audio_level)
    return Panel(f"you: {state.user_transcript}\nAI:  {state.ai_transcript}\n{meter}", title=title)


async def main(url: str, token: str) -> None:
    with Live(refresh_per_second=20) as live:
        async with SpikeClient(conversation_url=url, token=token, video=False) as client:
            async for state in client.observe():
                live.update(drawn(state))
                if not state.is_connected:
                    return


asyncio.run(main(*sys.argv[1:3]))
