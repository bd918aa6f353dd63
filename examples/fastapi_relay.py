"""A conversation for other programs, over HTTP: python fastapi_relay.py URL TOKEN [PORT] (pip install fastapi uvicorn).

GET /events streams what happens (server-sent events), POST /say {"text": ...} says something to the AI, GET /state
shows where the conversation stands.
"""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from spike_engine import SpikeClient


class Saying(BaseModel):
    """What POST /say takes."""

    text: str


def app_of(url: str, token: str) -> FastAPI:
    client = SpikeClient(conversation_url=url, token=token, video=False)

    @asynccontextmanager
    async def joined(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    app = FastAPI(lifespan=joined)

    @app.get("/state")
    async def state() -> dict[str, str]:
        return {"status": client.state.status, "ai": client.state.ai_transcript, "user": client.state.user_transcript}

    @app.post("/say")
    async def say(saying: Saying) -> None:
        client.send_text(saying.text)

    @app.get("/events")
    async def events() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            async for event in client.events("ai-speaking", "ai-idle", "user-transcript"):
                yield f"data: {json.dumps(asdict(event))}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    return app


if __name__ == "__main__":
    uvicorn.run(app_of(*sys.argv[1:3]), port=int(sys.argv[3]) if len(sys.argv) > 3 else 8000, log_level="warning")
