"""Many callers at once: how a voice service behaves under load, and how well it is heard there."""
