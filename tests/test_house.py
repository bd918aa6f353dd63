"""The layers of the house, what importing it loads, and its public face."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import spike_engine
from spike_engine import dsp, frames

ROOT = Path(__file__).parent.parent
PACKAGE = Path(spike_engine.__file__).parent
SOURCES = ROOT / "python" / "spike_engine"

PAGE = ROOT / "docs" / "architecture.md"


def table(header: str) -> list[list[str]]:
    """The rows of the table in docs/architecture.md that begins with `header`."""
    if not PAGE.exists():
        pytest.skip("the documentation is not here: an installed package is tested")
    rows = PAGE.read_text().split(f"| {header} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([\w/]+)`", cell)


def floors_inside(order: str) -> dict[str, int]:
    """`a`, `b` ◄ `c` as the floor that each name is on."""
    return {name: floor for floor, names in enumerate(order.split("◄")) for name in names_in(names)}


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


def test_the_page_names_every_room() -> None:
    rooms = {room_of(path) for path in python_files()} | {"_core"}

    assert {name for row in table("Floor | Room") for name in names_in(row[1])} == rooms


def test_at_most_seven_files_stand_at_the_top() -> None:
    assert len([path for path in [*python_files(), SOURCES / "__init__.py"] if path.parent == SOURCES]) <= 7


def test_python_rooms_import_one_way_only() -> None:
    floor = {names_in(row[1])[0]: int(row[0]) for row in table("Floor | Room")}
    for path in python_files():
        room = room_of(path)
        for name in imports_of(path):
            match = re.match(r"spike_engine\.(\w+)", name)
            if match and match[1] in floor and match[1] != room:
                assert floor[match[1]] < floor[room], f"{path.name} ({room}) imports {name}"


@pytest.mark.parametrize(
    "room", ["events", "dsp", "protocols", "devices", "sources", "transports", "media", "conversation"]
)
def test_modules_of_a_room_import_one_way_only(room: str) -> None:
    (order,) = (row[1] for row in table("Room | From the bottom") if names_in(row[0]) == [room])
    floor = floors_inside(order)
    modules = [path for path in python_files() if path.parent == SOURCES / room and path.stem != "__init__"]
    assert {path.stem for path in modules} == set(floor)
    for path in modules:
        for name in imports_of(path):
            match = re.match(rf"spike_engine\.{room}\.(\w+)", name)
            if match and match[1] != path.stem:
                assert match[1] in floor, f"{path} imports {name}"
                assert floor[match[1]] < floor[path.stem], f"{path} imports {name}"


def test_outside_packages_are_imported_in_their_rooms_only() -> None:
    rooms_of = {names_in(package)[0]: names_in(rooms) for package, rooms in table("Package | Rooms")}
    for path in python_files():
        place = path.relative_to(SOURCES).with_suffix("").as_posix()
        for name in imports_of(path):
            for package, rooms in rooms_of.items():
                if name.split(".")[0] == package or name.startswith(f"spike_engine.{package}"):
                    assert any(place == room or place.startswith(f"{room}/") for room in rooms), (
                        f"{path} imports {name}"
                    )


def test_cpp_rooms_include_one_way_only() -> None:
    cpp = ROOT / "cpp"
    if not cpp.exists():
        pytest.skip("the sources are not here: an installed package is tested")
    layers = {names_in(folder)[0]: set(names_in(lower)) for folder, lower in table("Folder | Includes from")}

    def folder_of(path: str) -> str:
        """As the table has it: the parts of a part count as that part."""
        parts = path.split("/")[:-1]
        whole = "/".join(parts[:2])
        return whole if whole in layers or not parts else parts[0]

    for path in cpp.rglob("*.?pp"):
        room = folder_of(path.relative_to(cpp).as_posix())
        assert room in layers or room in {"bindings", "fuzz", "tests"}, f"docs/architecture.md does not name {room}"
        if room in layers:
            for include in re.findall(r'#include ["<]([^">]+)[">]', path.read_text()):
                other = folder_of(include)
                assert other not in {"pybind11", "bindings", "fuzz", "tests"}, f"{path} includes {include}"
                assert other not in layers or other in layers[room] | {room}, f"{path} includes {include}"


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
        *("Turn", "Word", "UserAudioLevel"),
        *(
            "SpikeClient",
            "DuplexAudio",
            "ClientOptions",
            "ClientStats",
            "ConversationState",
            "VideoQuality",
            "DisconnectReason",
        ),
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


def test_the_version_is_said_once() -> None:
    assert metadata.version("spike-engine") == spike_engine.__version__


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists() or (SOURCES / "py.typed").exists()


def test_the_extra_all_is_every_one_that_agrees_with_the_others() -> None:
    if not (pyproject := ROOT / "pyproject.toml").exists():
        pytest.skip("the sources are not here: an installed package is tested")
    extras = tomllib.loads(pyproject.read_text())["project"]["optional-dependencies"]
    (everything,) = extras.pop("all")

    assert set(everything.removeprefix("spike-engine[").removesuffix("]").split(",")) == set(extras) - {"fastrtc"}
