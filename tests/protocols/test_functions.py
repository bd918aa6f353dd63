"""Functions of the program as a model sees them, and arguments as a model sends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Literal

import pytest

from spike_engine.errors import InvalidOption
from spike_engine.protocols.functions import Function


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def paint(
    where: str, colour: Colour, count: int = 1, size: float | None = None, *, tags: Sequence[str] = (), how: Any = None
) -> str:
    """Paint something."""
    return where


def schema(call: Any) -> dict[str, Any]:
    return Function.of(call).schema()


def test_a_function_says_by_its_annotations_what_it_takes() -> None:
    function = Function.of(paint)

    assert (function.name, function.description, function.timeout_s) == ("paint", "Paint something.", 10.0)
    assert function.schema() == {
        "type": "object",
        "properties": {
            "where": {"type": "string"},
            "colour": {"enum": ["red", "blue"]},
            "count": {"type": "integer"},
            "size": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "how": {},
        },
        "required": ["where", "colour"],
        "additionalProperties": False,
    }


def test_every_annotation_that_json_holds() -> None:
    def call(a: Literal["x", 2], b: list, c: dict, d: dict[str, bool], e: Mapping[str, int], f: None, g): ...

    assert schema(call)["properties"] == {
        "a": {"enum": ["x", 2]},
        "b": {"type": "array", "items": {}},
        "c": {"type": "object", "additionalProperties": {}},
        "d": {"type": "object", "additionalProperties": {"type": "boolean"}},
        "e": {"type": "object", "additionalProperties": {"type": "integer"}},
        "f": {"type": "null"},
        "g": {},
    }
    given = {"a": 2, "b": [1, "z"], "c": {"k": [1]}, "d": {"on": True}, "e": {"n": 4.0}, "f": None, "g": 7}
    assert Function.of(call).checked(given) == {**given, "e": {"n": 4}}


def test_an_object_that_is_called_is_a_function() -> None:
    class Adder:
        """Adds."""

        def __call__(self, a: int, b: int) -> int:
            return a + b

    function = Function.of(Adder(), name="add", description="Adds.", timeout_s=1)
    assert function.schema()["properties"] == {"a": {"type": "integer"}, "b": {"type": "integer"}}


def test_arguments_become_what_the_function_takes() -> None:
    checked = Function.of(paint).checked(
        {"where": "wall", "colour": "red", "count": 3.0, "size": 2, "tags": ["a"], "how": {"any": "thing"}}
    )

    assert checked["colour"] is Colour.RED
    assert isinstance(checked["count"], int)
    assert isinstance(checked["size"], float)
    assert checked["tags"] == ["a"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wall": 1}, "unknown arguments: wall; it takes where, colour"),
        ({"where": None}, "where must be of type string, not None"),
        ({"colour": "green"}, "colour must be one of 'red', 'blue', not 'green'"),
        ({"count": True}, "count must be of type integer, not True"),
        ({"count": 1.5}, "count must be of type integer, not 1.5"),
        ({"size": "big"}, "size must be of type number, not 'big'; or size must be of type null, not 'big'"),
        ({"tags": "a"}, "tags must be an array, not 'a'"),
        ({"tags": ["a", 1]}, r"tags\[1\] must be of type string"),
    ],
)
def test_arguments_that_do_not_fit_are_told(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Function.of(paint).checked({"where": "wall", "colour": "red", **change})


def test_arguments_that_are_missing_and_those_of_a_function_without_any() -> None:
    def nothing() -> None: ...

    def table(rows: dict[str, int]) -> None: ...

    with pytest.raises(ValueError, match="missing arguments: where, colour"):
        Function.of(paint).checked({})
    with pytest.raises(ValueError, match="it takes none"):
        Function.of(nothing).checked({"a": 1})
    with pytest.raises(ValueError, match="rows must be an object"):
        Function.of(table).checked({"rows": []})
    with pytest.raises(ValueError, match=r"rows\.a must be of type integer"):
        Function.of(table).checked({"rows": {"a": "b"}})


def positional(a: int, /) -> None: ...


def every(*a: int) -> None: ...


def unholdable(a: complex) -> None: ...


def keyed(a: dict[int, str]) -> None: ...


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [
        (3, {}, "must be callable, not int"),
        (lambda: 1, {}, "named by 1 to 64 letters"),
        (paint, {"name": "paint it"}, "named by 1 to 64 letters"),
        (paint, {"name": 7}, "named by 1 to 64 letters"),
        (paint, {"timeout_s": 0}, "timeout_s must be"),
        (paint, {"timeout_s": True}, "timeout_s must be"),
        (paint, {"timeout_s": "1"}, "timeout_s must be"),
        (positional, {}, "must take its arguments by their names"),
        (every, {}, "must take its arguments by their names"),
        (unholdable, {}, "the argument a of unholdable must be a str"),
        (keyed, {}, "the argument a of keyed must be a str"),
        (type, {}, "what type takes cannot be read"),
    ],
)
def test_what_cannot_be_called_by_names_is_refused(call: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        Function.of(call, **options)
