"""Refuses to be imported in a subinterpreter (PEP 554, PEP 684), where loading the native module would hang."""

from __future__ import annotations

import importlib


def is_main() -> bool:
    """Whether this is the main interpreter of the process."""
    for name in ("_interpreters", "_xxsubinterpreters"):  # CPython 3.13 and newer, and older
        try:
            known = importlib.import_module(name)
        except ImportError:
            continue
        return bool(known.get_current() == known.get_main())
    return True


if not is_main():
    raise ImportError("spike_engine cannot be used in a subinterpreter: import it in the main one, or in a process")
