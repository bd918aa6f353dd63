"""What the demo shows while it runs: events as they happen, the AI's words as they come, and where it stands."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from spike_engine.demo.summary import Summary
from spike_engine.errors import SpikeError
from spike_engine.events import AIIdle, AISpeaking, ClientStats, Disconnected, Event, Perception, UserTranscript

_STYLES = {
    "connected": "bold green",
    "disconnected": "bold green",
    "ai-thinking": "yellow",
    "ai-speaking": "cyan",
    "ai-idle": "cyan",
    "user-started-speaking": "magenta",
    "user-stopped-speaking": "magenta",
    "user-transcript": "magenta",
    "error": "bold red",
}
_METER_WIDTH = 8


class Screen:
    """Prints one line an event; the AI's growing words share a line that is redrawn."""

    def __init__(self, console: Console, steps: int) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(None),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[network]}", style="dim"),
            console=console,
        )
        self._task = self._progress.add_task("connecting", total=steps, network="")
        self._live = Live(console=console, refresh_per_second=10, transient=True)
        self._speaking: tuple[float, AISpeaking] | None = None

    def __enter__(self) -> Self:
        self._live.start()
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def step(self, description: str, *, done: bool = False) -> None:
        """Say what the demo does now; `done` moves the bar on."""
        self._progress.update(self._task, description=description, advance=int(done))
        self._draw()

    def say(self, time_s: float, text: str) -> None:
        """A line that is no event of the client: what the simulated user does."""
        self._console.print(_line(time_s, "", text, "dim"))

    def show(self, time_s: float, name: str, event: Event) -> None:
        """One event of the client; figures of the network change the status line only."""
        if isinstance(event, ClientStats):
            self._progress.update(self._task, network=_network_of(event))
        elif isinstance(event, AISpeaking):
            began_at = self._speaking[0] if self._speaking else time_s
            self._speaking = (began_at, event)
        elif not isinstance(event, UserTranscript) or event.final:
            if isinstance(event, AIIdle | Disconnected):
                self._finish_speaking()
            self._console.print(_line(time_s, name, _text_of(event), _STYLES.get(name, "")))
        self._draw()

    def _finish_speaking(self) -> None:
        if self._speaking:
            began_at, event = self._speaking
            self._console.print(_line(began_at, "ai-speaking", f"“{event.transcript}”", _STYLES["ai-speaking"]))
            self._speaking = None

    def _draw(self) -> None:
        if not self._speaking:
            self._live.update(self._progress)
            return
        began_at, event = self._speaking
        bars = min(_METER_WIDTH, round(event.audio_level * 4 * _METER_WIDTH))
        meter = "▮" * bars + "▯" * (_METER_WIDTH - bars)
        line = _line(began_at, "ai-speaking", f"{meter} {event.transcript}", _STYLES["ai-speaking"])
        self._live.update(Group(line, self._progress))


def _line(time_s: float, name: str, text: str, style: str) -> Text:
    return Text.assemble((f"{time_s:7.2f} s  ", "dim"), (f"{name:<22}", style), text)


def _text_of(event: Event) -> str:
    match event:
        case Disconnected(reason):
            return str(reason)
        case AIIdle(interrupted):
            return "interrupted" if interrupted else ""
        case UserTranscript(transcript):
            return f"“{transcript}”"
        case Perception(emotion, gesture):
            return ", ".join(part for part in (emotion, gesture) if part)
        case SpikeError():
            return f"{event.code}: {event.message}"
    return ""


def _network_of(stats: ClientStats) -> str:
    round_trip_ms = stats.network.round_trip_time_ms
    trip = "" if round_trip_ms is None else f"{round_trip_ms:.0f} ms, "
    return f"{trip}{stats.inbound_loss:.0%} lost"


def print_summary(console: Console, summary: Summary) -> None:
    """The figures of the whole conversation, and where its files are."""
    table = Table(title="The conversation", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    for label, text in summary.rows():
        table.add_row(label, text)
    console.print(table)
    for path, what in summary.files:
        console.print(f"  [bold]{path}[/bold]  {what}", highlight=False)
