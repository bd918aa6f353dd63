"""Your own conversation partner in the embedded server: python persona.py, then join the address that it prints.

Needs pip install "spike-engine[demo]".
"""

import asyncio
from collections.abc import AsyncIterator

from spike_engine.server import ConversationServer, LocalPersona


class Parrot(LocalPersona):
    """Put a language model in `think`: yield its sentences as they come."""

    greeting = "Hello. I repeat what I hear."

    async def think(self, heard: str) -> AsyncIterator[str]:
        yield f"You said: {heard or 'nothing that I understood'}."


async def main() -> None:
    async with ConversationServer(port=0, persona=Parrot) as server:
        invitation = server.create_conversation()
        print(invitation.conversation_url, invitation.token, flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
