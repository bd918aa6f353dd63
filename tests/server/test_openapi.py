"""What the server says of itself for machines. `nox -s openapi` tries it with schemathesis."""

from __future__ import annotations

import json

import aiohttp
import pytest
from host import Host

from spike_engine import __version__
from spike_engine.server import ConversationServer
from spike_engine.server.openapi import description

pytestmark = pytest.mark.usefixtures("nothing_left_open")


async def test_every_route_for_machines_is_described() -> None:
    async with ConversationServer(persona=Host) as server, aiohttp.ClientSession() as http:
        async with http.get(f"{server.url}/openapi.json") as response:
            described = await response.json()
        assert server._runner
        there = {
            (route.resource.canonical, route.method.lower())
            for route in server._runner.app.router.routes()
            if route.resource and route.method not in ("HEAD", "OPTIONS")
        }

    assert described == description(__version__)
    told = {(path, method) for path, methods in described["paths"].items() for method in methods} - {
        (path, "parameters") for path in described["paths"]
    }
    assert {(path, method) for path, method in there if not path.startswith("/page") and path != "/"} == {
        *told,
        ("/openapi.json", "get"),
    }


def test_whatever_is_named_is_there() -> None:
    described = description(__version__)
    named = {part.partition('"')[0] for part in json.dumps(described).split("#/components/schemas/")[1:]}

    assert named == described["components"]["schemas"].keys()
