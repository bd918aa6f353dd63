"""The figures of a conversation."""

from __future__ import annotations

import json
import os
import statistics
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from spike_engine.demo.recorder import TurnRecord


@dataclass(slots=True)
class Summary:
    """What the demo measured. None stands for what could not be measured.

    Attributes:
        turns: What the user said and how it was answered.
        packets_received: Of the connection.
        packets_lost: Of the AI's voice and picture.
        echo_reduction_db: The microphone against what was sent, while only the AI talked.
        interruption_s: From the first sound of the interruption to the AI's silence.
        client_cpu: Share of one core that the client took, the simulated room included.
        server_cpu: The same for the server with its speech and pictures.
        files: What was written, and what it is.
    """

    turns: list[TurnRecord] = field(default_factory=list)
    packets_received: int = 0
    packets_lost: int = 0
    echo_reduction_db: float | None = None
    interruption_s: float | None = None
    client_cpu: float | None = None
    server_cpu: float | None = None
    files: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def response_s(self) -> float | None:
        """The median time from the end of the user's speech to the AI's first sound."""
        times = [turn.response_s for turn in self.turns if turn.response_s is not None]
        return statistics.median(times) if times else None

    def rows(self) -> list[tuple[str, str]]:
        """Label and text of each figure."""
        answered = sum(turn.answered_at is not None for turn in self.turns)
        each = ", ".join("-" if turn.response_s is None else f"{turn.response_s:.2f}" for turn in self.turns)
        times = f"{_number(self.response_s, '.2f', 's')} median ({each})" if each else "-"
        silent = f"the AI fell silent after {self.interruption_s:.2f} s" if self.interruption_s else "-"
        return [
            ("turns", f"{len(self.turns)} said, {answered} answered"),
            ("end of speech to first AI sound", times),
            ("interruption", silent),
            ("packets", f"{self.packets_received} received, {self.packets_lost} lost"),
            ("echo reduction", f"{_number(self.echo_reduction_db, '.1f', 'dB')} while only the AI talked"),
            ("CPU", f"client {_number(self.client_cpu, '.0%', '')}, server {_number(self.server_cpu, '.0%', '')}"),
        ]

    def to_json(self) -> str:
        """Everything, for machines."""
        values = asdict(self) | {"response_s": self.response_s}
        values["turns"] = [asdict(turn) | {"response_s": turn.response_s} for turn in self.turns]
        values["files"] = {str(path): what for path, what in self.files}
        return json.dumps(values, indent=2)


class CpuMeter:
    """Share of one core that a process has used since the meter was made."""

    def __init__(self, process_id: int | None = None) -> None:
        self._process_id = process_id
        self._began_at = time.monotonic()
        self._used_before = self._used_s()

    def share(self) -> float | None:
        """None where this system does not tell."""
        used_s = self._used_s()
        if used_s is None or self._used_before is None:
            return None
        return (used_s - self._used_before) / (time.monotonic() - self._began_at)

    def _used_s(self) -> float | None:
        if self._process_id is None:
            return time.process_time()
        return sum(filter(None, (_used_by(process) for process in [self._process_id, *_children(self._process_id)])))


def _used_by(process_id: int) -> float | None:
    """CPU seconds of another process; Linux only."""
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children(process_id: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()]
    except OSError:
        return []


def _number(value: float | None, spec: str, unit: str) -> str:
    return "-" if value is None else f"{value:{spec}} {unit}".rstrip()
