"""``GET /metrics``: what a server does, in Prometheus' text format (version 0.0.4), and who may read it."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address

from aiohttp import web

from spike_engine.server.http_json import bearer_token, error_response
from spike_engine.server.workers.tally import Histogram
from spike_engine.server.workers.worker import Worker

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Families = Sequence[tuple[str, str, Iterable[tuple[str, float]]]]  # name, what it is, and samples by their labels

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


def check_access(request: web.Request, token: str | None) -> None:
    """Let in who has the `token`; without one, who asks from this machine, and not through a proxy on it.

    Raises:
        web.HTTPUnauthorized: The token is missing, or another.
        web.HTTPForbidden: There is no token, and the request comes from elsewhere.
    """
    if token:
        if not hmac.compare_digest(bearer_token(request, {}).encode("utf-8", "replace"), token.encode()):
            raise error_response(web.HTTPUnauthorized, "the metrics need their token")
    elif not _is_loopback(request.remote) or any(name in request.headers for name in FORWARDED):
        raise error_response(web.HTTPForbidden, "the metrics are read from this machine, or with a token")


def exposition(
    workers: Iterable[Worker], *, conversations: int, free_places: int, draining: bool, http_errors: Mapping[int, int]
) -> str:
    """The whole page; what differs between the workers has the label ``worker``."""
    workers = tuple(workers)
    loads = [worker.load() for worker in workers]
    tallies = [worker.tally for worker in workers]
    places = conversations + free_places
    gauges: Families = [
        ("conversations", "Conversations that exist.", [("", conversations)]),
        ("free_places", "Conversations that would be admitted now.", [("", free_places)]),
        ("places_used_ratio", "Of those and the free places.", [("", conversations / max(1, places))]),
        ("draining", "1 while calls may end and none begins.", [("", int(draining))]),
        ("connected", "Conversations with a client.", _each(load.connected for load in loads)),
        ("loop_lag_seconds", "Nine of ten turns of the loop were no later.", _each(x.lag_ms / 1000 for x in loads)),
        ("loop_busy", "Share of a core that the loop uses.", _each(load.busy for load in loads)),
    ]
    refused = [(f'code="{status}"', count) for status, count in sorted(http_errors.items())]
    counters: Families = [
        ("joins_total", "Connections that were answered.", _each(tally.joins for tally in tallies)),
        ("persona_errors_total", "What the AI could not do.", _each(tally.persona_errors for tally in tallies)),
        ("packets_received_total", "Media packets of clients.", _each(tally.packets_received for tally in tallies)),
        ("packets_lost_total", "Media packets that were lost.", _each(tally.packets_lost for tally in tallies)),
        ("http_errors_total", "Requests that were refused, by status.", refused),
    ]
    histograms = [
        ("join_seconds", "From an offer to bot-ready.", [tally.join_s for tally in tallies]),
        ("first_word_seconds", "From an offer to the AI's first sound.", [tally.first_word_s for tally in tallies]),
        ("answer_seconds", "From the user's end to the AI's first sound.", [tally.answer_s for tally in tallies]),
    ]
    return "\n".join(_lines(gauges, counters, histograms)) + "\n"


def _lines(gauges: Families, counters: Families, histograms: Sequence[tuple[str, str, list[Histogram]]]) -> list[str]:
    lines: list[str] = []
    for kind, families in (("gauge", gauges), ("counter", counters)):
        for name, text, samples in families:
            lines += _head(f"spike_{name}", kind, text)
            lines += [
                f"spike_{name}{{{labels}}} {x:.10g}" if labels else f"spike_{name} {x:g}" for labels, x in samples
            ]
    for name, text, each in histograms:
        lines += _head(f"spike_{name}", "histogram", text)
        for number, histogram in enumerate(each):
            lines += _samples(f"spike_{name}", f'worker="{number}"', histogram)
    return lines


def _each(values: Iterable[float]) -> list[tuple[str, float]]:
    return [(f'worker="{number}"', value) for number, value in enumerate(values)]


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _samples(name: str, label: str, histogram: Histogram) -> Iterator[str]:
    below = 0
    for edge, count in zip([*(f"{bound:g}" for bound in histogram.bounds), "+Inf"], histogram.counts, strict=True):
        below += count
        yield f'{name}_bucket{{{label},le="{edge}"}} {below}'
    yield f"{name}_sum{{{label}}} {histogram.total:g}"
    yield f"{name}_count{{{label}}} {below}"


def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ip_address(address).is_loopback
    except ValueError:
        return False
