"""A terminal program with keys: python textual_ui.py URL TOKEN (pip install textual)."""

import sys
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.widgets import Footer, Input, ProgressBar, Static

from spike_engine import SpikeClient


class Conversation(App):
    """The conversation on the whole screen."""

    BINDINGS: ClassVar = [("ctrl+s", "mute", "mute"), ("ctrl+q", "quit", "leave")]
    CSS = "Static { height: auto; margin: 1 2; } ProgressBar { margin: 0 2; }"

    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        self.client = SpikeClient(conversation_url=url, token=token, video=False)

    def compose(self) -> ComposeResult:
        yield Static(id="ai")
        yield ProgressBar(total=1.0, show_percentage=False, show_eta=False)
        yield Static(id="user")
        yield Input(placeholder="type instead of talking")
        yield Footer()

    def on_mount(self) -> None:
        self.run_worker(self.talk())

    async def talk(self) -> None:
        async with self.client:
            async for state in self.client.observe():
                if not state.is_connected:
                    break
                self.query_one("#ai", Static).update(f"AI: {state.ai_transcript}")
                muted = "" if state.audio_enabled else " (muted)"
                self.query_one("#user", Static).update(f"you: {state.user_transcript}{muted}")
                self.query_one(ProgressBar).update(progress=state.audio_level)
        self.exit(self.client.state.ai_transcript)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.client.send_text(event.value)
        event.input.clear()

    def action_mute(self) -> None:
        self.client.set_audio_enabled(not self.client.state.audio_enabled)


if __name__ == "__main__":
    print(Conversation(*sys.argv[1:3]).run())
