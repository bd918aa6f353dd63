"""Ways to reach a conversation: one file a transport, one interface for all."""
