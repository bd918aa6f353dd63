"""The wire protocols of a conversation: what messages mean, without any input or output of their own."""
