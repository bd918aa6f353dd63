"""The layers of the house, what importing it loads, and its public face."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import spike_engine
from spike_engine import dsp, frames

ROOT = Path(__file__).parent.parent
PACKAGE = Path(spike_engine.__file__).parent
SOURCES = ROOT / "python" / "spike_engine"

# Each room may import from the rooms before it, and from itself.
PYTHON_LAYERS = [
    {"errors", "inventory", "stats", "opening", "_core"},
    {"events", "pulse"},
    {"emitter", "options", "dsp", "frames"},
    {"protocol", "openai_protocol", "turns", "state", "far_end", "fed_track", "portaudio", "cameras"},
    {"devices"},
    {"playback", "adaptation", "sources", "device_watch"},
    {"tracks", "remote", "transports"},
    {"media"},
    {"session", "monitor"},
    {"connection"},
    {"client"},
    {"window"},
    {"server", "clean", "integrations"},
    {"demo", "commands"},
    {"cli"},
]
OUTSIDE = {  # packages that only these rooms import
    "aiortc": {"fed_track", "tracks", "remote", "transports", "server"},
    "sounddevice": {"portaudio"},
    "pulsectl": {"pulse"},
    "pipecat": {"integrations"},
    "_core": {"dsp", "frames"},
}
CPP_LAYERS = {
    "base": set(),
    "convert": {"base"},
    "dsp": {"base", "convert"},
    "media": {"base", "convert", "dsp"},
    "pipeline": {"base", "convert", "dsp", "media"},
}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCES).with_suffix("").parts[0]


def imports_of(path: Path, *, while_loading: bool = False) -> set[str]:
    """The modules that a file imports; with `while_loading`, only those that importing the file imports."""
    tree = ast.parse(path.read_text())
    if while_loading:
        tree.body = [node for node in tree.body if not isinstance(node, ast.If | ast.FunctionDef | ast.ClassDef)]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def python_files() -> list[Path]:
    if not SOURCES.exists():
        pytest.skip("the sources are not here: an installed package is tested")
    return [path for path in sorted(SOURCES.rglob("*.py")) if path != SOURCES / "__init__.py"]


def test_python_rooms_import_one_way_only() -> None:
    depth = {room: level for level, rooms in enumerate(PYTHON_LAYERS) for room in rooms}
    for path in python_files():
        room = room_of(path)
        for name in imports_of(path):
            match = re.match(r"spike_engine\.(\w+)", name)
            if match and match[1] in depth and match[1] != room:
                assert depth[match[1]] < depth[room], f"{path.name} ({room}) imports {name}"


def test_outside_packages_are_imported_in_their_rooms_only() -> None:
    for path in python_files():
        for name in imports_of(path):
            for package, rooms in OUTSIDE.items():
                if name.split(".")[0] == package or name.startswith(f"spike_engine.{package}"):
                    assert room_of(path) in rooms, f"{path} imports {name}"


def test_cpp_rooms_include_one_way_only() -> None:
    cpp = ROOT / "cpp"
    if not cpp.exists():
        pytest.skip("the sources are not here: an installed package is tested")
    for path in cpp.rglob("*.?pp"):
        room = path.relative_to(cpp).parts[0]
        includes = re.findall(r'#include ["<]([^">]+)[">]', path.read_text())
        if room in CPP_LAYERS:
            for include in includes:
                other = include.split("/")[0]
                assert other not in {"pybind11", "bindings", "tests"}, f"{path} includes {include}"
                assert other not in CPP_LAYERS or other in CPP_LAYERS[room] | {room}, f"{path} includes {include}"


def loaded_by(statement: str) -> set[str]:
    program = f"{statement}; import json, sys; print(json.dumps(list(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    return {name.split(".")[0] for name in json.loads(output)}


def test_importing_the_package_loads_no_transport_and_no_device() -> None:
    assert not loaded_by("import spike_engine") & {
        "aiortc",
        "av",
        "sounddevice",
        "pulsectl",
        "aiohttp",
        "rich",
        "matplotlib",
        "jwt",
    }


def test_the_public_names() -> None:
    assert set(spike_engine.__all__) == {
        *("show", "DevicesChanged", "FunctionCall", "IceServer", "NetworkQuality", "Reconnecting", "TransportStats"),
        *("SpikeClient", "ClientOptions", "ClientStats", "ConversationState", "VideoQuality", "DisconnectReason"),
        *("AudioSink", "AudioSource", "VideoSource", "Device", "Devices", "list_devices", "dsp", "frames"),
        *("Event", "EventName", "Connected", "Disconnected", "AIThinking", "AISpeaking", "AIIdle", "Message"),
        *("UserStartedSpeaking", "UserStoppedSpeaking", "UserTranscript", "Perception"),
        *("ErrorCode", "SpikeError", "InvalidOption", "InvalidState", "ConnectionFailed", "TokenExpired"),
        *("ConversationEnded", "ServerError", "MediaError", "MediaPermissionDenied", "DeviceNotFound", "DeviceInUse"),
    }
    for name in spike_engine.__all__:
        assert hasattr(spike_engine, name)


SIGNATURES = {
    dsp.Resampler: ["from_hz", "to_hz", "*channels=1", "*dtype='float32'", "*quality='voice'", "*planar=False"],
    dsp.Resampler.process: ["self", "x", "*last=False", "*out=None"],
    dsp.resample: ["x", "from_hz", "to_hz", "quality='voice'"],
    dsp.EchoCanceller: ["sample_rate_hz=48000", "*far_channels=1"],
    dsp.EchoCanceller.process: ["self", "mic", "far", "*out=None"],
    dsp.NoiseSuppressor: ["sample_rate_hz=48000", "*mode='neural'", "*attenuation_db=None"],
    dsp.NoiseSuppressor.process: ["self", "x", "*out=None"],
    dsp.CapturePipeline: [
        "sample_rate_hz=48000", "*echo_cancellation=True", "*noise_suppression=True", "*far_channels=1",
    ],
    dsp.CapturePipeline.process: ["self", "mic", "far", "*out=None"],
    frames.to_ndarray: ["video_frame", "format='rgb24'", "*width=None", "*height=None", "*out=None"],
    frames.from_ndarray: ["a", "format='rgb24'", "*to='yuv420p'", "*width=None", "*height=None", "*out=None"],
    frames.convert: [
        "array_or_planes", "from_format", "to_format", "*width=None", "*height=None",
        "*colorspace='bt709'", "*color_range='limited'", "*out=None",
    ],
}  # fmt: skip


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_signatures_that_are_a_contract(function: Any) -> None:
    def described(parameter: inspect.Parameter) -> str:
        star = "*" if parameter.kind is parameter.KEYWORD_ONLY else ""
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        return f"{star}{parameter.name}{default}"

    parameters = inspect.signature(function).parameters.values()
    added = [parameter for parameter in parameters if described(parameter) not in SIGNATURES[function]]
    actual = [described(parameter) for parameter in parameters if parameter not in added]
    assert actual == SIGNATURES[function]
    for parameter in added:  # callers of the contract need not know them
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default is not parameter.empty


def test_options_of_the_client_and_of_its_dataclass_agree() -> None:
    options = inspect.signature(spike_engine.ClientOptions).parameters
    client = inspect.signature(spike_engine.SpikeClient).parameters

    assert list(options) == list(client)
    assert {n: p.default for n, p in options.items()} == {n: p.default for n, p in client.items()}


@pytest.mark.parametrize("module", [spike_engine, dsp, frames], ids=lambda module: module.__name__)
def test_everything_public_is_documented(module: Any) -> None:
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), name
        if inspect.isclass(thing) and thing.__module__.startswith("spike_engine") and "_core" not in thing.__module__:
            for attribute, member in vars(thing).items():
                if inspect.isfunction(member) and not attribute.startswith("_"):
                    assert inspect.getdoc(member), f"{name}.{attribute}"


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists() or (SOURCES / "py.typed").exists()
