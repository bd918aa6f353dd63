"""One conversation from join to its end."""
