"""What the optional parts of the server need."""

from __future__ import annotations

from importlib.util import find_spec

from spike_engine.errors import InvalidOption


class MissingExtra(InvalidOption, ImportError):
    """An optional package is not installed; the message says how to install it."""

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name


def is_installed(module: str) -> bool:
    """Whether `module` could be imported, without importing it."""
    return find_spec(module) is not None


def require(module: str, purpose: str, *, extra: str = "demo") -> None:
    """Raise `MissingExtra` unless `module` is installed; `extra` brings it."""
    if not is_installed(module):
        raise MissingExtra(f'{purpose} needs {module}: pip install "spike-engine[{extra}]"', name=module)
