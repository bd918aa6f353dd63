"""Frame conversion beside its peers: writes docs/tables/frames.md and docs/images/frames-error.png.

python benchmarks/frames_table.py   (needs the dependency group bench, and libyuv: Debian's libyuv0)
SPIKE_ENGINE_ISA=avx2 python benchmarks/frames_table.py --print   prints the table for another instruction set
python benchmarks/frames_table.py --ours                          prints our times at 1280x720 alone
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import libyuv
import numpy as np

from spike_engine import _core, frames

DOCS = Path(__file__).parent.parent / "docs"
SIZES = [(160, 120), (640, 360), (1280, 720), (1920, 1080)]
CONVERSIONS = [
    ("yuv420p", "rgb24"),
    ("yuv420p", "rgba"),
    ("nv12", "rgb24"),
    ("rgb24", "yuv420p"),
    ("rgba", "yuv420p"),
    ("nv12", "yuv420p"),
]
OPENCV = {
    ("yuv420p", "rgb24"): cv2.COLOR_YUV2RGB_I420,
    ("yuv420p", "rgba"): cv2.COLOR_YUV2RGBA_I420,
    ("nv12", "rgb24"): cv2.COLOR_YUV2RGB_NV12,
    ("rgb24", "yuv420p"): cv2.COLOR_RGB2YUV_I420,
    ("rgba", "yuv420p"): cv2.COLOR_RGBA2YUV_I420,
}
ROUNDS = 4
Call = Callable[[], Any]


def best_us(call: Call, seconds: float = 0.02) -> float:
    best, until = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < until:
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
    return 1e6 * best


@contextlib.contextmanager
def on_all_processors() -> Iterator[None]:
    """PyAV's conversions start as many threads as there are processors to run on: as many as a program has."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def best_fresh_us(frame: av.VideoFrame, call: Callable[[Any], Any]) -> float:
    """PyAV with frames that it has no context for, as the next one of a stream is; making them does not count."""
    best = np.inf
    for _ in range(12):
        fresh = frames.reformat(frame, frame.format.name)
        begin = time.perf_counter()
        call(fresh)
        best = min(best, time.perf_counter() - begin)
    return 1e6 * best


def picture(format: str, width: int, height: int) -> Any:  # noqa: A002
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return frames.convert(rgb, "rgb24", format)


def peers_of(source: str, target: str, width: int, height: int) -> dict[str, Call | None]:
    a, out = picture(source, width, height), picture(target, width, height)
    larger = a if a.nbytes > out.nbytes else out
    copied = np.empty_like(larger)
    code = OPENCV.get((source, target))
    return {
        "spike": lambda: frames.convert(a, source, target, colorspace="bt601", out=out),
        "libyuv": libyuv.conversion(a, source, out.copy(), target, width, height),
        "OpenCV": (lambda: cv2.cvtColor(a, code)) if code is not None else None,
        "memcpy": lambda: np.copyto(copied, larger),
    }


def pyav_call(target: str, **options: Any) -> Callable[[Any], Any]:
    if target in {"rgb24", "rgba"}:
        return lambda fresh: fresh.to_ndarray(format=target, **options)
    return lambda fresh: fresh.reformat(format=target, **options)


def pyav_us(source: str, target: str, width: int, height: int) -> dict[str, float]:
    frame = frames.from_ndarray(picture(source, width, height), source, to=source)
    with on_all_processors():
        fresh = best_fresh_us(frame, pyav_call(target))
    return {"PyAV": fresh, "PyAV, 1 thread": best_fresh_us(frame, pyav_call(target, threads=1))}


def measured(source: str, target: str, width: int, height: int) -> dict[str, float]:
    """The peers take turns, the quietest round counts."""
    calls = {name: call for name, call in peers_of(source, target, width, height).items() if call}
    best = dict.fromkeys(calls, np.inf)
    for _ in range(ROUNDS):
        for name, call in calls.items():
            best[name] = min(best[name], best_us(call))
    return {**best, **pyav_us(source, target, width, height)}


def scaling() -> dict[str, float]:
    size, small = (1920, 1080), (1280, 720)
    a, out = picture("yuv420p", *size), picture("yuv420p", *small)
    calls: dict[str, Call | None] = {
        "spike": lambda: frames.convert(a, "yuv420p", "yuv420p", width=small[0], height=small[1], out=out),
        "libyuv": libyuv.box_scale(a, size, out.copy(), small),
    }
    frame = frames.from_ndarray(a, "yuv420p", to="yuv420p")
    options = {"width": small[0], "height": small[1], "interpolation": "AREA"}
    found = {name: min(best_us(call) for _ in range(3)) for name, call in calls.items() if call}
    with on_all_processors():
        found["PyAV"] = best_fresh_us(frame, lambda fresh: fresh.reformat(**options))
    return {**found, "PyAV, 1 thread": best_fresh_us(frame, lambda fresh: fresh.reformat(threads=1, **options))}


def samples() -> dict[str, float]:
    frame = frames.audio_from_ndarray(np.random.default_rng(0).integers(-9999, 9999, (960, 2)).astype(np.int16))
    out, resampler = np.empty((2, 960), np.float32), av.AudioResampler(format="fltp", layout="stereo", rate=48000)
    return {
        "spike": best_us(lambda: frames.audio_to_ndarray(frame, planar=True, out=out)),
        "PyAV, 1 thread": best_us(lambda: [made.to_ndarray() for made in resampler.resample(frame)]),
        "memcpy": best_us(lambda: np.copyto(out, out.copy())),
    }


def overhead() -> list[str]:
    rgb, rgba = picture("rgb24", 2, 2), picture("rgba", 2, 2)
    frame = frames.from_ndarray(rgb, "rgb24", to="yuv420p")
    empty = best_us(_core.active_isa)
    calls: dict[str, Call] = {
        "convert": lambda: frames.convert(rgb, "rgb24", "rgba", out=rgba),
        "to_ndarray": lambda: frames.to_ndarray(frame, "rgb24", out=rgb),
        "from_ndarray": lambda: frames.from_ndarray(rgb, "rgb24", out=frame),
    }
    return [f"{name} {best_us(call) - empty:.1f} us" for name, call in calls.items()]


PEERS = ["spike", "libyuv", "PyAV", "PyAV, 1 thread", "OpenCV", "memcpy"]


def row(name: str, found: dict[str, float]) -> str:
    cells = [f"{found[peer]:.1f}" if peer in found else "-" for peer in PEERS]
    ratios = [f"{found[peer] / found['spike']:.2f}" if peer in found else "-" for peer in PEERS[1:4]]
    return "| " + " | ".join([name, *cells, *ratios]) + " |"


def speeds() -> list[str]:
    head = ["", "spike_engine", *PEERS[1:], *(f"{peer} / ours" for peer in PEERS[1:4])]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for width, height in SIZES:
        for source, target in CONVERSIONS:
            lines.append(row(f"{width}x{height} {source} > {target}", measured(source, target, width, height)))
    lines.append(row("1920x1080 > 1280x720, yuv420p, area", scaling()))
    lines.append(row("20 ms of stereo, s16 > float32 planar", samples()))
    return lines


def exact_rgb(yuv: Any, height: int) -> Any:
    """BT.601, limited range, in float64."""
    y = (yuv[:height].astype(float) - 16) * 255 / 219
    u, v = (
        ((plane.astype(float) - 128) * 255 / 224).repeat(2, 0).repeat(2, 1)
        for plane in yuv[height:].reshape(2, height // 2, -1)
    )
    red, blue = y + 1.402 * v, y + 1.772 * u
    return np.clip(np.stack([red, (y - 0.299 * red - 0.114 * blue) / 0.587, blue], axis=-1), 0, 255)


def errors() -> dict[str, Any]:
    """From yuv420p to rgb24: how far each is from the exact value, over luma to the right and chroma down."""
    width, height = 512, 512
    yuv = np.empty((height * 3 // 2, width), np.uint8)
    yuv[:height] = np.arange(width) // 2
    yuv[height : height + height // 4] = (np.arange(height // 2).repeat(width // 2)).reshape(-1, width)
    yuv[height + height // 4 :] = 255 - yuv[height : height + height // 4]
    exact = exact_rgb(yuv, height)
    out = np.empty((height, width, 3), np.uint8)
    convert = libyuv.conversion(yuv, "yuv420p", out, "rgb24", width, height)
    frame = frames.from_ndarray(yuv, "yuv420p", to="yuv420p")
    made = {
        "spike_engine": frames.convert(yuv, "yuv420p", "rgb24", colorspace="bt601"),
        "OpenCV": cv2.cvtColor(yuv, cv2.COLOR_YUV2RGB_I420),
        "PyAV": frame.to_ndarray(format="rgb24"),
    }
    if convert:
        convert()
        made["libyuv"] = out
    return {name: np.abs(rgb - exact).max(axis=-1) for name, rgb in made.items()} | {"exact": exact, "made": made}


def draw(found: dict[str, Any]) -> list[str]:
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    made, exact = found["made"], found["exact"]
    figure, axes = plt.subplots(1, len(made), figsize=(3 * len(made), 3.2), layout="constrained")
    lines = ["| | largest error | nearest to the exact value |", "|---|---|---|"]
    for axis, (name, rgb) in zip(axes, made.items(), strict=True):
        shown = axis.imshow(found[name], vmin=0, vmax=2, cmap="magma")
        axis.set(title=name, xticks=[], yticks=[], xlabel="luma", ylabel="chroma")
        right = 100 * (rgb == np.round(exact)).mean()
        lines.append(f"| {name} | {np.abs(rgb - exact).max():.2f} | {right:.1f} % |")
    figure.colorbar(shown, ax=axes, label="error of the worst of R, G, B")
    figure.savefig(DOCS / "images" / "frames-error.png", dpi=80)
    return lines


def our_times(width: int = 1280, height: int = 720) -> list[float]:
    return [best_us(peers_of(*formats, width, height)["spike"], 0.1) for formats in CONVERSIONS]


def instruction_sets() -> list[str]:
    """Ours with every set of this processor, each in a process of its own."""
    sets = ["avx512", "avx2", "baseline"]
    sets = sets[sets.index(_core.active_isa()) :] if _core.active_isa() in sets else ["neon"]
    times = []
    for name in sets:
        environment = {**os.environ, "SPIKE_ENGINE_ISA": name}
        command = [sys.executable, __file__, "--ours"]
        printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        times.append([float(word) for word in printed.split()])
    libyuv_times = [best_us(peers_of(*formats, 1280, 720)["libyuv"] or (lambda: None), 0.1) for formats in CONVERSIONS]
    lines = [f"| 1280x720 | {' | '.join(sets)} | libyuv |", "|" + "---|" * (len(sets) + 2)]
    for (source, target), *cells in zip(CONVERSIONS, *times, libyuv_times, strict=True):
        lines.append(f"| {source} > {target} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    return lines


def main() -> None:
    if "--ours" in sys.argv:
        print(*our_times())
        return
    lines = [
        f"Microseconds, the best of many, on one thread but for PyAV as it comes; with {_core.active_isa()}:",
        "",
        *speeds(),
        "",
        "A call on 2x2 pixels with `out=`, over an empty call of the native module: " + "; ".join(overhead()) + ".",
    ]
    if "--print" not in sys.argv:
        lines += ["", "With each instruction set:", "", *instruction_sets()]
        lines += ["", "yuv420p to rgb24, BT.601, all luma and chroma along a diagonal:", "", *draw(errors())]
        (DOCS / "tables" / "frames.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
