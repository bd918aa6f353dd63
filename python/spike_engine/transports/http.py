"""The one HTTP request by which a transport exchanges session descriptions, and what its failures mean."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import aiohttp

from spike_engine.errors import ConnectionFailed, ConversationEnded, SpikeError, TokenExpired

_MAX_ANSWER_BYTES = 1 << 20
_MAY_PASS = (408, 425, 429)  # the statuses below 500 that invite to try again


class Answer(NamedTuple):
    """What a server answered; the names of its headers are in lower case."""

    status: int
    content: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode("utf-8", "replace")


async def request(method: str, url: str, *, token: str, accept: tuple[int, ...] = (200,), **body: Any) -> Answer:
    """The server's answer.

    Raises:
        TokenExpired: 401.
        ConversationEnded: 404 or 410.
        ConnectionFailed: Any other status that is not in `accept`; no answer; one without end.
    """
    headers = {"Authorization": f"Bearer {token}", **body.pop("headers", {})}
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, headers=headers, **body) as response,
        ):
            content = await _read_limited(response)
            if response.status not in accept:
                raise error_of_status(response.status, content)
            return Answer(response.status, content, {name.lower(): value for name, value in response.headers.items()})
    except (aiohttp.ClientError, OSError) as error:
        raise ConnectionFailed(f"{url} could not be reached: {error or type(error).__name__}") from error


def error_of_status(status: int, content: bytes) -> SpikeError:
    """What an HTTP status other than success means for a conversation."""
    text = content[:200].decode("utf-8", "replace").strip()
    message = f"the server answered {status}: {text}" if text else f"the server answered {status}"
    if status == 401:
        return TokenExpired(message)
    if status in (404, 410):
        return ConversationEnded(message)
    return ConnectionFailed(message, can_retry=status >= 500 or status in _MAY_PASS)


def parse_object(content: bytes) -> dict[str, Any]:
    """The JSON object in `content`.

    Raises:
        ConnectionFailed: There is none.
    """
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise ConnectionFailed(f"the server's answer is no JSON: {content[:80]!r}") from error
    if not isinstance(parsed, dict):
        raise ConnectionFailed(f"the server's answer is no JSON object: {content[:80]!r}")
    return parsed


async def _read_limited(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > _MAX_ANSWER_BYTES:
            raise ConnectionFailed(f"the server's answer is longer than {_MAX_ANSWER_BYTES} bytes")
    return bytes(content)
