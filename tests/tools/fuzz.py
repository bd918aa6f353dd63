"""Bytes of chance for everything that takes what a stranger made: ``nox -s fuzz``, or ``-- --hour``.

Three kinds of targets, one process at a time: Python's, led by coverage where atheris is installed and by hypothesis
where it is not; the native module's bindings, by hypothesis; the core itself, by libFuzzer under the address and
undefined-behaviour sanitizers, where ``cmake --preset fuzz`` has built them. What is found is printed with its bytes
and becomes a small case in the tests. The corpus stays in ``.fuzz`` and is where the next run begins.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import fuzz_bindings
from fuzz_targets import TARGETS

WITH_ATHERIS = find_spec("atheris") is not None
CORPUS = Path(".fuzz")
NATIVE = Path("build/fuzz")
SEEDS = Path("cpp/fuzz/seeds")


def instrument(module: ModuleType, function: Callable[[Any], Any]) -> None:
    """Put `function` over the code of all that `module` defines."""
    for thing in tuple(vars(module).values()):
        members = vars(thing).values() if isinstance(thing, type) else (thing,)
        for member in members:
            if isinstance(member, FunctionType) and member.__module__ == module.__name__:
                with contextlib.suppress(Exception):  # some code cannot be rewritten: it gives no coverage
                    member.__code__ = function(member).__code__


def fuzz_with_atheris(name: str, seconds: float) -> None:
    import atheris

    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    make, seeds = TARGETS[name]
    for index, seed in enumerate(seeds):
        (folder / f"seed{index}").write_bytes(seed)
    target = make()
    for module_name, module in tuple(sys.modules.items()):  # ours, whose importer may be one that atheris does not know
        if module_name.startswith(("spike_engine.", "aiortc.sdp", "jwt.")):
            instrument(module, atheris.instrument_func)
    options = [f"-max_total_time={round(seconds)}", f"-artifact_prefix={folder}/", "-max_len=20000", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(folder)], target)
    atheris.Fuzz()


def fuzz_with_hypothesis(name: str, seconds: float) -> None:
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st
    from hypothesis.database import DirectoryBasedExampleDatabase

    make, seeds = TARGETS[name]
    target = make()
    until = time.monotonic() + seconds
    count = 0
    edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), st.binary(max_size=12)), max_size=6)

    @st.composite
    def bytes_of_chance(draw: Any) -> bytes:
        data = draw(st.sampled_from([b"", *seeds]))
        for place, cut, put in draw(edits):
            at = round(place * len(data))
            data = data[:at] + put + data[at + cut :]
        return bytes(data)

    @settings(
        max_examples=500,
        deadline=None,
        database=DirectoryBasedExampleDatabase(CORPUS / "hypothesis" / name),
        suppress_health_check=list(HealthCheck),
    )
    @given(bytes_of_chance())
    def one(data: bytes) -> None:
        nonlocal count
        if time.monotonic() < until:
            count += 1
            target(data)

    while time.monotonic() < until:
        one()
    print(f"{name}: {count} inputs in {seconds:.0f} s, nothing found", flush=True)


def native_command(program: Path, seconds: float) -> list[str]:
    name = program.stem
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    seeds = SEEDS / name.removeprefix("fuzz_")
    options = (f"-max_total_time={round(seconds)}", f"-artifact_prefix={folder}-", "-timeout=25", "-verbosity=0")
    return [str(program), *options, "-print_final_stats=1", str(folder), *([str(seeds)] if seeds.is_dir() else [])]


def own_command(name: str, seconds: float) -> list[str]:
    return [sys.executable, __file__, "--alone", name, "--minutes", str(seconds / 60)]


def fuzz_alone(name: str, seconds: float) -> None:
    logging.disable()
    if name == "bindings":
        print(f"bindings: {fuzz_bindings.run(seconds)} inputs in {seconds:.0f} s, nothing found", flush=True)
    elif WITH_ATHERIS:
        fuzz_with_atheris(name, seconds)
    else:
        fuzz_with_hypothesis(name, seconds)


def main() -> int:
    """All targets, one after the other, each in a process of its own."""
    native = {program.stem: program for program in sorted(NATIVE.glob("fuzz_*")) if os.access(program, os.X_OK)}
    names = [*TARGETS, "bindings", *native]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="for all targets together; without it, each has a minute")
    parser.add_argument("--hour", action="store_const", dest="minutes", const=60.0, help="an hour in all")
    parser.add_argument("--target", choices=names, action="append", help="only this one; may be repeated")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        fuzz_alone(options.alone, 60 * options.minutes)
        return 0
    if not native:
        print("the core's own fuzzers are not built: cmake --preset fuzz && cmake --build --preset fuzz", flush=True)
    chosen = options.target or names
    seconds = 60.0 if options.minutes is None else 60 * options.minutes / len(chosen)
    failed = []
    for name in chosen:
        print(f"--- {name}, {seconds:.0f} s", flush=True)
        command = native_command(native[name], seconds) if name in native else own_command(name, seconds)
        if subprocess.run(command, check=False, env=os.environ | {"PYTHONHASHSEED": "0"}).returncode:
            failed.append(name)
    print(f"found something in {', '.join(failed)}" if failed else "nothing found")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
