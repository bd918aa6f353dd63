"""The front desk: a persona with rules of its own, which needs no account."""

from spike_engine.server.front_desk.persona import FrontDesk

__all__ = ["FrontDesk"]
