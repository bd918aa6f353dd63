"""What a run is to do, and how each call of it gets its conversation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spike_engine.addresses.web import extended
from spike_engine.errors import ConnectionFailed, SpikeError
from spike_engine.rig.script import Line, Script
from spike_engine.rig.voices import Sound
from spike_engine.transports.http import Http, parse_answer

HTTP_TIMEOUT_S = 15.0
_SAID = (*range(200, 300), *range(400, 600))  # every status but a redirect


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a process needs to call; it can be pickled.

    Attributes:
        url: The conversation, or without `token` a server that gives out conversations by ``POST {url}/conversations``.
        token: What opens the conversation.
        sessions: How many calls, in all processes.
        per_second: How many begin in a second, in all processes.
    """

    url: str
    token: str | None
    script: Script
    voices: Mapping[Line, Sound]
    sessions: int = 1
    per_second: float = 1.0
    seed: int = 0
    transport: Literal["smallwebrtc", "openai", "whip", "daily"] | None = None
    allow_insecure: bool = False
    ca_file: str | Path | None = None


class Refused(Exception):
    """A server gives out no conversation; `code` says by which status."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@contextlib.asynccontextmanager
async def conversation(plan: Plan) -> AsyncIterator[tuple[str, str]]:
    """The address and the token of a conversation, which is ended where it was begun for this call."""
    if plan.token is not None:
        yield plan.url, plan.token
        return
    url = extended(plan.url, "/conversations")
    asking = Http(allow_insecure=plan.allow_insecure, ca_file=plan.ca_file)
    try:
        async with asyncio.timeout(HTTP_TIMEOUT_S):
            answer = await asking.request("POST", url, accept=_SAID)
    except ConnectionFailed as error:
        raise Refused("UNREACHABLE", error.message) from error
    if answer.status != 201:
        raise Refused(f"HTTP_{answer.status}", answer.text)
    body = parse_answer(answer.content)
    url, token = str(body.get("conversation_url")), str(body.get("token"))
    try:
        yield url, token
    finally:
        with contextlib.suppress(SpikeError, TimeoutError):
            async with asyncio.timeout(HTTP_TIMEOUT_S):
                ending = Http(token, url, allow_insecure=plan.allow_insecure, ca_file=plan.ca_file)
                await ending.request("DELETE", url, accept=_SAID)
