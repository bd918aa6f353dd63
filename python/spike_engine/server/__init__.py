"""The embedded conversation server: a partner to talk with in demos, tests and development."""

from spike_engine.server.app import ConversationServer, Invitation, TooManyConversations, serve
from spike_engine.server.persona import Persona, Speech, Word

__all__ = ["ConversationServer", "Invitation", "Persona", "Speech", "TooManyConversations", "Word", "serve"]
