"""What the embedded server refuses before it looks at a request: pages of strangers, false names, endless bodies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from spike_engine.addresses.hosts import is_on_this_machine
from spike_engine.server.http_json import error_response

REQUEST_TIMEOUT_S = 30.0
HEADERS = {
    "Cache-Control": "no-store",  # answers hold tokens
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

logger = logging.getLogger(__name__)
logger.addFilter(lambda record: not is_strangers_fault(record))

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def install(app: web.Application, *, on_loopback: bool, allowed_origins: Iterable[str]) -> None:
    """Guard all that `app` answers.

    A page of any origin may send simple requests to whatever listens on this machine, whether it can read the answer or
    not; and a stranger's name may be made to lead here (DNS rebinding), so that his page counts as one of this server.
    So a request with a foreign ``Origin`` is refused, and on loopback one that calls the server by a foreign name.

    Args:
        app: The application, before it runs.
        on_loopback: Only this machine reaches it.
        allowed_origins: Whose pages may call, and whose hosts are names of this server.
    """
    origins = frozenset(allowed_origins)
    hosts = frozenset(urlsplit(origin).hostname for origin in origins)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        called = f"http://{request.host}"
        if on_loopback and not is_on_this_machine(called) and _hostname(called) not in hosts:
            raise error_response(web.HTTPMisdirectedRequest, "this server is called localhost or 127.0.0.1")
        origin = request.headers.get("Origin")
        is_own = origin is None or origin.partition("://")[2] == request.host  # https where a proxy is before us
        if not is_own and origin not in origins and request.method != "OPTIONS":
            raise error_response(web.HTTPForbidden, "pages of this origin may not call this server")
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await handler(request)
        except TimeoutError as error:
            raise error_response(web.HTTPRequestTimeout, f"not done within {REQUEST_TIMEOUT_S:g} s") from error

    async def protect(_: web.Request, response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)

    app.middlewares.append(guard)
    app.on_response_prepare.append(protect)


def is_strangers_fault(record: logging.LogRecord) -> bool:
    """Whether aiohttp tells of a request that is no HTTP: it gets a 400, and is not worth a traceback each."""
    return record.exc_info is not None and isinstance(record.exc_info[1], HttpProcessingError)


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


class Pace:
    """Bounds how many messages a client may send: `per_s` in a second, and as many at once.

    Args:
        per_s: Messages in a second.
        clock: Monotonic seconds.
    """

    def __init__(self, per_s: float, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._clock = clock
        self._left = per_s
        self._at = clock()

    def allows(self) -> bool:
        """Whether one more may come now; it is counted."""
        now = self._clock()
        self._left = min(self._per_s, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
