"""What the callers say, and when: a file of YAML or JSON, checked before anybody is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spike_engine.errors import InvalidOption
from spike_engine.extras import require
from spike_engine.protocols.strict_json import MOST_CHARS, parse, text_of

Range = tuple[float, float]
MOST_SECONDS = 3600.0


class InvalidScript(InvalidOption):
    """A script says something that is not understood; the message names the file, the place, and what is accepted."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to say.

    Attributes:
        text: Its words; empty where nobody knows them, and then nobody asks whether they were understood.
        voice: The recording of it; None to have eSpeak NG say it.
    """

    text: str
    voice: Path | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """When the caller says one of `lines`.

    Attributes:
        lines: Of which one is said, drawn anew each time.
        pause_s: How long after the AI has finished, drawn between the two.
        barge_in_after_s: How long after the AI has begun to speak, drawn between the two; None to let it finish.
    """

    lines: tuple[Line, ...]
    pause_s: Range = (0.5, 0.5)
    barge_in_after_s: Range | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """The way between a caller and the server, each direction by itself.

    Attributes:
        loss: Share of packets that do not arrive, 0 to 1.
        delay_ms: How long each of them takes besides.
        jitter_ms: How much longer it may take, drawn for each.
    """

    loss: float = 0.0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Script:
    """A call from its beginning to its end.

    Attributes:
        turns: What is said, one after the other.
        repeat: How often all of it is said.
        greeting: The AI speaks first.
        answer_timeout_s: An answer that has not begun by then is none.
        join_timeout_s: A connection that has not been made by then is none.
        network: What is between the caller and the server.
    """

    turns: tuple[Turn, ...]
    repeat: int = 1
    greeting: bool = True
    answer_timeout_s: float = 10.0
    join_timeout_s: float = 10.0
    network: Network = field(default_factory=Network)

    @property
    def lines(self) -> set[Line]:
        """Everything that may be said."""
        return {line for turn in self.turns for line in turn.lines}


DEFAULT = Script(
    (
        Turn((Line("Hello."),)),
        Turn((Line("Something is terribly wrong."), Line("Weasels have eaten our phone system.")), (0.3, 1.5)),
        Turn((Line("Nobody is available to take your call."),), barge_in_after_s=(0.8, 2.0)),
        Turn((Line("Thank you. Goodbye."),), (0.3, 1.5)),
    )
)


def load_script(path: Path) -> Script:
    """The script in a file; recordings are looked for beside it.

    Raises:
        InvalidScript: It is no script; the message says where and why.
        MissingExtra: YAML needs PyYAML, which is in the extra ``rig``; a ``.json`` file needs nothing.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MOST_CHARS + 1)
    except (OSError, ValueError) as error:
        raise InvalidScript(f"{path} cannot be read: {error}") from error
    if len(text) > MOST_CHARS:
        raise InvalidScript(f"{path} is longer than {MOST_CHARS} characters")
    try:
        return _Reader(path).script(_parsed(path, text))
    except RecursionError:
        raise InvalidScript(f"{path} is nested too deep") from None


def _parsed(path: Path, text: str) -> Any:
    if path.suffix.lower() == ".json":
        try:
            return parse(text)
        except ValueError as error:
            raise InvalidScript(f"{path} is no JSON: {error}") from error
    require("yaml", "a script of YAML", extra="rig")
    import yaml  # noqa: PLC0415 (an extra)

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # such as a date that there is not
        raise InvalidScript(f"{path} is no YAML: {' '.join(str(error).split())}") from error


class _Reader:
    """Turns what a file holds into a script, and says of what it does not understand where it stands."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def script(self, value: Any) -> Script:
        names = ("turns", "repeat", "greeting", "answer_timeout_s", "join_timeout_s", "network")
        fields = self._mapping("the script", value, *names)
        turns = fields.get("turns")
        if not isinstance(turns, list) or not turns:
            raise self._error("turns", "a list of at least one turn", turns)
        greeting = fields.get("greeting", True)
        if not isinstance(greeting, bool):
            raise self._error("greeting", "true or false", greeting)
        repeat = fields.get("repeat", 1)
        if isinstance(repeat, bool) or not isinstance(repeat, int) or not 1 <= repeat <= 100_000:
            raise self._error("repeat", "a whole number from 1 to 100000", repeat)
        return Script(
            tuple(self._turn(f"turns[{number}]", turn) for number, turn in enumerate(turns)),
            repeat,
            greeting,
            self._number("answer_timeout_s", fields.get("answer_timeout_s", 10.0)),
            self._number("join_timeout_s", fields.get("join_timeout_s", 10.0), least=0.1),
            self._network(fields.get("network") or {}),
        )

    def _turn(self, place: str, value: Any) -> Turn:
        fields = self._mapping(place, value, "say", "voice", "any_of", "pause_s", "barge_in_after_s")
        if "any_of" in fields:
            if "say" in fields or "voice" in fields or not isinstance(fields["any_of"], list) or not fields["any_of"]:
                raise self._error(f"{place}.any_of", "a list of {say, voice} in their place", fields["any_of"])
            lines = tuple(
                self._line(f"{place}.any_of[{number}]", self._mapping(f"{place}.any_of[{number}]", one, "say", "voice"))
                for number, one in enumerate(fields["any_of"])
            )
        else:
            lines = (self._line(place, fields),)
        barge_in = fields.get("barge_in_after_s")
        return Turn(
            lines,
            self._range(f"{place}.pause_s", fields.get("pause_s", 0.5)),
            None if barge_in is None else self._range(f"{place}.barge_in_after_s", barge_in),
        )

    def _line(self, place: str, fields: Mapping[str, Any]) -> Line:
        say, voice = fields.get("say", ""), fields.get("voice")
        if not isinstance(say, str):
            raise self._error(f"{place}.say", "words", say)
        if voice is not None and not isinstance(voice, str):
            raise self._error(f"{place}.voice", "the name of a recording", voice)
        if not say.strip() and not voice:
            raise self._error(place, "'say' with words, 'voice' with a recording, or both", dict(fields))
        return Line(text_of(say).strip(), self._path.parent / voice if voice else None)

    def _network(self, value: Any) -> Network:
        fields = self._mapping("network", value, "loss", "delay_ms", "jitter_ms")
        return Network(
            self._number("network.loss", fields.get("loss", 0.0), most=1.0),
            self._number("network.delay_ms", fields.get("delay_ms", 0.0), most=10_000.0),
            self._number("network.jitter_ms", fields.get("jitter_ms", 0.0), most=10_000.0),
        )

    def _mapping(self, place: str, value: Any, *names: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self._error(place, f"a mapping with {', '.join(names)}", value)
        if unknown := [name for name in value if name not in names]:
            raise InvalidScript(f"{self._path}: {place} has {unknown[0]!r}; it may have {', '.join(names)}")
        return value

    def _range(self, place: str, value: Any) -> Range:
        if not isinstance(value, list):
            value = [value, value]
        if len(value) != 2:
            raise self._error(place, "seconds, or [from, to]", value)
        low, high = (self._number(place, each) for each in value)
        if low > high:
            raise self._error(place, "seconds, or [from, to]", value)
        return low, high

    def _number(self, place: str, value: Any, least: float = 0.0, most: float = MOST_SECONDS) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self._error(place, f"a number from {least:g} to {most:g}", value)
        return float(value)

    def _error(self, place: str, accepted: str, value: Any) -> InvalidScript:
        return InvalidScript(f"{self._path}: {place} must be {accepted}, not {repr(value)[:60]}")
