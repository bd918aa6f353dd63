"""Pictures of the report: percentiles over time before the number of calls that went on, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spike_engine.rig.figures import METRICS, Figures, statistic

WIDTH, HEIGHT = 480, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 34, 10, 24
_LINES = (("p50", "--one"), ("p95", "--two"), ("p99", "--three"))
_LINES_OF_GOOD = (("p50", "--one"), ("p5", "--two"), ("p1", "--three"))  # where little of it is bad
_GOOD = ("understood",)

Point = tuple[float, float]


def plot(figures: Figures, metric: str) -> str:
    """A figure with the percentiles of `metric`; behind them, the calls at once, whose scale is on the right."""
    bins, kinds = figures.bins, _LINES_OF_GOOD if metric in _GOOD else _LINES
    middles = [(since_s + until_s) / 2 for since_s, until_s in bins]
    lines = {
        name: [
            (middle, value)
            for middle, edges in zip(middles, bins, strict=True)
            if not math.isnan(value := statistic(name, figures.values(metric, *edges)))
        ]
        for name, _ in kinds
    }
    top = _above(max((value for points in lines.values() for _, value in points), default=1.0))
    counts = [figures.active_between(*edges) for edges in bins]
    most = max(1, *counts)
    span = max(figures.seconds, 1e-3)

    def place(point: Point, highest: float) -> str:
        x = _LEFT + point[0] / span * (WIDTH - _LEFT - _RIGHT)
        y = HEIGHT - _BOTTOM - point[1] / highest * (HEIGHT - _TOP - _BOTTOM)
        return f"{x:.1f},{y:.1f}"

    area = [(0.0, 0.0), *zip(middles, map(float, counts), strict=True), (span, 0.0)]
    shapes = [f'<polygon points="{" ".join(place(p, most) for p in area)}" style="fill:var(--area)"/>']
    for name, colour in kinds:
        points = [place(point, top) for point in lines[name]]
        shapes.append(f'<polyline points="{" ".join(points)}" style="fill:none;stroke:var({colour});stroke-width:2"/>')
        shapes += [
            f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="2" style="fill:var({colour})"/>' for p in points
        ]
    shapes += _axes(top, most, span)
    legend = ", ".join(f'<span style="color:var({colour})">{name}</span>' for name, colour in kinds)
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{metric} over time">{"".join(shapes)}</svg>'
    return f"<figure>{drawing}<figcaption><b>{metric}</b>, {METRICS[metric]}: {legend}</figcaption></figure>"


def _axes(top: float, most: float, span: float) -> Sequence[str]:
    floor = HEIGHT - _BOTTOM
    labels = [
        (_LEFT - 5, _TOP + 8, "end", f"{top:g}"),
        (_LEFT - 5, floor, "end", "0"),
        (WIDTH - _RIGHT + 5, _TOP + 8, "start", f"{most:g}"),
        (_LEFT, HEIGHT - 8, "start", "0 s"),
        (WIDTH - _RIGHT, HEIGHT - 8, "end", f"{span:.0f} s"),
    ]
    rule = f'<path d="M{_LEFT} {_TOP}V{floor}H{WIDTH - _RIGHT}" style="fill:none;stroke:var(--line)"/>'
    return [rule, *(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>' for x, y, anchor, text in labels)]


def _above(value: float) -> float:
    """The next of 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= value)
