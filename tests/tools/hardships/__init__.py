"""What befalls a conversation in an ordeal, one kind of trouble a module."""
