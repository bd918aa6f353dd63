"""Functions of the program that the AI may call: what they take as JSON Schema, and whether arguments fit.

The schema is the part of JSON Schema (draft 2020-12) that models are trained on: types, ``enum``, ``items``,
``properties`` and ``required``. Arguments are checked here; nothing is called.
"""

from __future__ import annotations

import collections.abc
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Union

from spike_engine.errors import InvalidOption

Schema = dict[str, Any]

_PLAIN: Mapping[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_ACCEPTED = "a str, int, float, bool, None, Literal, Enum, list, dict, or a union of these"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what every server accepts
_UNFIT = object()


@dataclass(frozen=True, slots=True)
class Function:
    """One function as the AI knows it.

    Attributes:
        name: What the AI calls it.
        call: The program's function, plain or ``async``.
        description: What it does, for the AI.
        timeout_s: How long it may take.
        declared: The AI is told of it where the server takes that from a client.
        parameters: The type of each argument.
        required: The arguments without a default.
    """

    name: str
    call: Callable[..., Any]
    description: str
    timeout_s: float
    declared: bool
    parameters: Mapping[str, Any]
    required: tuple[str, ...]

    @classmethod
    def of(
        cls,
        call: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        timeout_s: float = 10.0,
        declared: bool = True,
    ) -> Function:
        """What `call` takes, read from its annotations.

        Raises:
            InvalidOption: It is no function that can be called by names, or an annotation is none that JSON can hold.
        """
        if not callable(call):
            raise InvalidOption(f"a function must be callable, not {type(call).__name__}")
        name = getattr(call, "__name__", "") if name is None else name
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidOption(f"a function is named by 1 to 64 letters, digits, _ and -, not {name!r}")
        if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s < float("inf"):
            raise InvalidOption(f"timeout_s must be a number of seconds above 0, not {timeout_s!r}")
        parameters, required = _parameters_of(name, call)
        text = inspect.getdoc(call) or "" if description is None else description
        return cls(name, call, text, float(timeout_s), declared, parameters, required)

    def schema(self) -> Schema:
        """What a model is told of the arguments."""
        return {
            "type": "object",
            "properties": {name: _schema_of(kind) for name, kind in self.parameters.items()},
            "required": list(self.required),
            "additionalProperties": False,
        }

    def checked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """`arguments` as the function takes them: enumerations by their members, whole numbers where they are meant.

        Raises:
            ValueError: One is missing, unknown or of another type; the message is for the AI.
        """
        if unknown := sorted(arguments.keys() - self.parameters.keys()):
            raise ValueError(
                f"unknown arguments: {', '.join(unknown)}; it takes {', '.join(self.parameters) or 'none'}"
            )
        if missing := [name for name in self.required if name not in arguments]:
            raise ValueError(f"missing arguments: {', '.join(missing)}")
        return {name: _checked(name, self.parameters[name], value) for name, value in arguments.items()}


def _parameters_of(name: str, call: Callable[..., Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        signature = inspect.signature(call)
        hints = typing.get_type_hints(call if inspect.isroutine(call) else type(call).__call__)
    except (TypeError, ValueError, NameError) as error:
        raise InvalidOption(f"what {name} takes cannot be read: {error}") from error
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters: dict[str, Any] = {}
    required = []
    for parameter in signature.parameters.values():
        if parameter.kind not in by_name:
            raise InvalidOption(f"{name} must take its arguments by their names, not as {parameter}")
        parameters[parameter.name] = kind = hints.get(parameter.name, Any)
        try:
            _schema_of(kind)
        except TypeError as error:
            raise InvalidOption(f"the argument {parameter.name} of {name} must be {_ACCEPTED}, not {kind!r}") from error
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    return parameters, tuple(required)


def _taken_apart(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """``list[int]`` as ``list`` and ``int``; every union and sequence under one name."""
    origin = typing.get_origin(kind) or kind
    same = {types.UnionType: Union, collections.abc.Sequence: list, collections.abc.Mapping: dict}
    return same.get(origin, origin), typing.get_args(kind)


def _schema_of(kind: Any) -> Schema:
    """The schema of an annotation; TypeError where JSON cannot hold it."""
    if kind is Any:
        return {}
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    origin, inner = _taken_apart(kind)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is Union:
        return {"anyOf": [_schema_of(one) for one in inner]}
    if origin is list:
        return {"type": "array", "items": _schema_of(inner[0] if inner else Any)}
    if origin is dict and (not inner or inner[0] is str):
        return {"type": "object", "additionalProperties": _schema_of(inner[1] if inner else Any)}
    raise TypeError(kind)


def _checked(at: str, kind: Any, value: Any) -> Any:
    """`value` as `kind`, or a ValueError that says where it does not fit."""
    origin, inner = _taken_apart(kind)
    if kind is Any:
        return value
    if origin is Union:
        return _first_that_fits(at, inner, value)
    if origin is Literal:
        return _one_of(at, inner, value)
    if origin is list and isinstance(value, list):
        return [_checked(f"{at}[{index}]", inner[0] if inner else Any, one) for index, one in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {key: _checked(f"{at}.{key}", inner[1] if inner else Any, one) for key, one in value.items()}
    if origin in (list, dict):
        raise ValueError(f"{at} must be {'an array' if origin is list else 'an object'}, not {value!r:.80}")
    if issubclass(kind, Enum):
        return kind(_one_of(at, [member.value for member in kind], value))
    if (fitting := _plain(kind, value)) is _UNFIT:
        raise ValueError(f"{at} must be of type {_PLAIN[kind]}, not {value!r:.80}")
    return fitting


def _plain(kind: type, value: Any) -> Any:
    """JSON knows one kind of number, and Python takes True for one."""
    if isinstance(value, bool):
        return value if kind is bool else _UNFIT
    if kind is float and isinstance(value, int):
        return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, kind) else _UNFIT


def _first_that_fits(at: str, kinds: Sequence[Any], value: Any) -> Any:
    errors = []
    for kind in sorted(kinds, key=lambda kind: type(value) is not kind):  # the very type comes first
        try:
            return _checked(at, kind, value)
        except ValueError as error:
            errors.append(str(error))
    raise ValueError("; or ".join(errors))


def _one_of(at: str, accepted: Sequence[Any], value: Any) -> Any:
    for one in accepted:
        if type(one) is type(value) and one == value:
            return one
    raise ValueError(f"{at} must be one of {', '.join(map(repr, accepted))}, not {value!r:.80}")
