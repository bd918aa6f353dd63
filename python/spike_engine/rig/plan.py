"""What a run is to do, and how each call of it gets its conversation."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiohttp

from spike_engine.addresses.web import extended
from spike_engine.options import trusted
from spike_engine.rig.script import Line, Script
from spike_engine.rig.voices import Sound

HTTP_TIMEOUT_S = 15.0


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
    timeout = aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S)
    tls = trusted(plan.ca_file) or True
    async with aiohttp.ClientSession(timeout=timeout) as http:
        async with http.post(extended(plan.url, "/conversations"), ssl=tls) as response:
            text = await response.text()
            if response.status != 201:
                raise Refused(f"HTTP_{response.status}", text)
            body = await response.json()
        url, token = str(body["conversation_url"]), str(body["token"])
        try:
            yield url, token
        finally:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                await http.delete(url, headers={"Authorization": f"Bearer {token}"}, ssl=tls)
