"""The page that a browser shows: three files, built from ``web/page`` and shipped with the package."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

PAGE = Path(__file__).parent / "page_files"
# Nothing but the page's own files runs or is loaded, nobody frames it, and its address goes nowhere.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'",
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
HEADERS = {
    "Content-Security-Policy": "; ".join(POLICY),
    "Permissions-Policy": "camera=(self), microphone=(self), speaker-selection=(self), geolocation=(), payment=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # a newer server brings a newer page; an unchanged file is answered with 304
}


def routes() -> list[web.RouteDef]:
    """``/`` and the files that it names."""
    return [web.get("/", _index), web.get("/page/{name}", _file)]


async def _index(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html", headers=HEADERS)


async def _file(request: web.Request) -> web.FileResponse:
    files = {path.name: path for path in (PAGE / "page").iterdir()}
    if path := files.get(request.match_info["name"]):
        return web.FileResponse(path, headers=HEADERS)
    raise web.HTTPNotFound
