"""The AI in a window of Tk's, with buttons: python tk_window.py URL TOKEN (Debian: apt install python3-tk).

Tk has a loop of its own; here asyncio's turns it, thirty times a second.
"""

import asyncio
import sys
import tkinter as tk

from spike_engine import SpikeClient, SpikeError


class Window:
    """Shows one conversation."""

    def __init__(self, client: SpikeClient) -> None:
        self.client = client
        self.root = tk.Tk()
        self.root.title("Your AI")
        self.shown = tk.PhotoImage(master=self.root, width=320, height=180)
        self.picture = tk.Label(self.root, background="black", image=self.shown)
        self.words = tk.Label(self.root, wraplength=320, justify="left", text="Listening...")
        self.mute = tk.Button(self.root, text="Mute", command=self.toggle)
        self.end = tk.Button(self.root, text="Leave", command=self.leave)
        for widget in (self.picture, self.words, self.mute, self.end):
            widget.pack(fill="x")
        self.root.protocol("WM_DELETE_WINDOW", self.leave)
        self.leaving: asyncio.Task[None] | None = None

    def toggle(self) -> None:
        enabled = not self.client.state.audio_enabled
        self.client.set_audio_enabled(enabled)
        self.mute["text"] = "Mute" if enabled else "Unmute"

    def leave(self) -> None:
        self.leaving = asyncio.ensure_future(self.client.leave())

    async def show_pictures(self) -> None:
        async for rgb in self.client.ai_pictures("rgb24", width=320, height=180, in_step=True):
            portable = b"P6 320 180 255 " + rgb.tobytes()
            self.shown = tk.PhotoImage(master=self.root, data=portable, format="PPM")  # Tk keeps no reference
            self.picture["image"] = self.shown

    async def run(self) -> None:
        """Until the conversation is over."""
        painting = asyncio.create_task(self.show_pictures())
        while (state := self.client.state).status != "disconnected":
            self.words["text"] = f"AI: {state.ai_transcript}\nYou: {state.user_transcript}"
            self.root.update()
            await asyncio.sleep(1 / 30)
        painting.cancel()
        self.root.destroy()


async def main(url: str, token: str) -> None:
    client = SpikeClient(conversation_url=url, token=token, video_quality="low")
    try:
        async with client:
            await Window(client).run()
    except SpikeError as error:
        sys.exit(f"{error.code}: {error.message}")
    print("AI:", client.state.ai_transcript)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
