"""Where the conversations of a server live: in its own process, or in several of their own."""
