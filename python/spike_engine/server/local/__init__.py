"""Ears and a voice that run on this machine."""

from spike_engine.server.local.persona import LocalPersona

__all__ = ["LocalPersona"]
