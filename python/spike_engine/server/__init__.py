"""The embedded conversation server: a partner to talk with in demos, tests and development."""

from spike_engine.extras import MissingExtra
from spike_engine.server.app import ConversationServer, Invitation, serve
from spike_engine.server.front_desk.persona import FrontDesk
from spike_engine.server.humming import HummingPersona
from spike_engine.server.local.persona import LocalPersona
from spike_engine.server.models.endpoints import Endpoints
from spike_engine.server.models.persona import ModelPersona
from spike_engine.server.persona import Persona, Speech, Viseme, Word
from spike_engine.server.workers.pool import TooManyConversations

__all__ = [
    "ConversationServer",
    "Endpoints",
    "FrontDesk",
    "HummingPersona",
    "Invitation",
    "LocalPersona",
    "MissingExtra",
    "ModelPersona",
    "Persona",
    "Speech",
    "TooManyConversations",
    "Viseme",
    "Word",
    "serve",
]
