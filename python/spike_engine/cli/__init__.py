"""The ``spike-engine`` command."""

from spike_engine.cli.main import main

__all__ = ["main"]
