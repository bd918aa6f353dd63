"""Lets pages of other origins call the server (CORS, as the Fetch standard has it): the named ones and no others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

from aiohttp import web

METHODS = "GET, POST, PATCH, DELETE"
HEADERS = "authorization, content-type"
REMEMBERED_S = 600

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def install(app: web.Application, origins: Iterable[str]) -> None:
    """Answer preflights of pages from `origins`, and let them read the answers.

    Args:
        app: The application, before it runs.
        origins: Such as ``https://example.org`` or ``http://localhost:5173``.

    Raises:
        ValueError: One of them is no origin; there is no ``*``, because then any page could open conversations here.
    """
    allowed = frozenset(origins)
    for origin in allowed:
        if not _is_origin(origin):
            raise ValueError(f"an origin is scheme://host or scheme://host:port and nothing more, not {origin!r}")

    @web.middleware
    async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not asks or request.headers.get("Origin") not in allowed:
            return await handler(request)
        headers = {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": str(REMEMBERED_S),
        }
        return web.Response(status=204, headers=headers)

    async def allow(request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get("Origin")
        response.headers.add("Vary", "Origin")
        if origin in allowed:
            response.headers["Access-Control-Allow-Origin"] = origin

    if allowed:
        app.middlewares.append(preflight)
        app.on_response_prepare.append(allow)


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_host = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False
    return is_host and parts.scheme in ("http", "https") and text == f"{parts.scheme}://{parts.netloc}"
