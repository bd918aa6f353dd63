"""Requests and errors of the HTTP face, both as JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from spike_engine.protocols.strict_json import object_of, parse, text_of


def bearer_token(request: web.Request, body: dict[str, Any]) -> str:
    """The token of the ``Authorization`` header, else of the body's ``requestData``, else an empty text."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return text_of(object_of(body.get("requestData")).get("token"))


async def read_json(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body; anything else is answered with 400."""
    try:
        body = parse(await request.read())
    except ValueError as error:
        raise error_response(web.HTTPBadRequest, "the body is no JSON") from error
    if not isinstance(body, dict):
        raise error_response(web.HTTPBadRequest, "the body is no JSON object")
    return body


def error_response(
    kind: type[web.HTTPException], message: str, headers: Mapping[str, str] | None = None
) -> web.HTTPException:
    """An exception to raise in a handler: its status comes from `kind`, its body is ``{"error": message}``."""
    return kind(text=json.dumps({"error": message}), content_type="application/json", headers=headers)


@web.middleware
async def errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Give aiohttp's own errors, such as 404, 405 and 413, the same form."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.content_type != "application/json":
            error.text, error.content_type = json.dumps({"error": error.text or error.reason}), "application/json"
        raise
