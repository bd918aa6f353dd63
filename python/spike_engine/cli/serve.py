"""``spike-engine serve``: the embedded server, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import json
import os
import signal
from functools import partial

from spike_engine.server import ConversationServer, Endpoints, ModelPersona

CONVERSATIONS_A_WORKER = 16


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGINT, or until SIGTERM and the end of the calls that go on then."""
    endpoints = Endpoints.from_environment()
    server = ConversationServer(
        options.host,
        options.port,
        persona=partial(ModelPersona, endpoints) if endpoints else None,
        max_conversations=options.max_conversations or CONVERSATIONS_A_WORKER * options.workers,
        invite_only=not (_is_loopback(options.host) if options.open is None else options.open),
        allowed_origins=options.allow_origin,
        workers=options.workers,
        public_url=options.public_url,
        metrics_token=os.environ.get("SPIKE_METRICS_TOKEN"),
        udp_ports=options.udp_ports,
    )
    asked_to_leave = _on_sigterm()
    async with server:
        page = server.invite()
        print(json.dumps({"url": server.url, "page": page}) if options.json else f"talk here: {page}", flush=True)  # noqa: T201
        await asked_to_leave.wait()
        asked_to_leave.clear()  # who asks once more does not want to wait
        impatient = asyncio.create_task(asked_to_leave.wait())
        drained = asyncio.create_task(server.drain())
        await asyncio.wait({drained, impatient}, timeout=options.drain_timeout, return_when=asyncio.FIRST_COMPLETED)
        for task in (drained, impatient):
            task.cancel()
        await asyncio.gather(drained, impatient, return_exceptions=True)


def _on_sigterm() -> asyncio.Event:
    """Set by SIGTERM, which cancels nothing from here on."""
    asked = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows, which has no SIGTERM to speak of
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    return asked


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
