"""What the engine does to aiortc, for the client, the server and any other program."""
