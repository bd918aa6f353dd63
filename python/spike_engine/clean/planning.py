"""Which recording goes where."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spike_engine.clean.audio_file import SUFFIXES, WRITABLE, UnusableAudio

_LOSSLESS = (".wav", ".flac")
_PICTURES = (".png", ".svg")


@dataclass(frozen=True, slots=True)
class Job:
    """One recording to clean.

    Attributes:
        fault: Why it cannot be; said when its turn comes, so that the others are cleaned.
    """

    source: Path
    target: Path
    far: Path | None = None
    report: Path | None = None
    fault: str = ""


def plan(
    inputs: Sequence[Path],
    output: Path | str,
    *,
    far: Path | None = None,
    report: Path | str | None = None,
) -> list[Job]:
    """The jobs for `inputs`, files or folders.

    One file goes to `output`, or into it where that is a folder, ends in a slash or has no suffix. Several, and whole
    folders with their subfolders, go into the folder `output` under their own names; what is neither .wav nor .flac
    becomes .wav, and what is in `output` already is left out. `far` is then the folder that holds a recording of the
    loudspeaker under each name, and `report` one for the pictures.

    Raises:
        UnusableAudio: `output` has a suffix that nobody writes, or there is nothing to clean.
    """
    to, is_folder = _target(output)
    pictures, are_pictures = _target(report) if report else (None, False)
    for path in (*inputs, to):
        if str(path) == "-":
            raise UnusableAudio("standard input and output are not read and written: name a file")
    if len(inputs) == 1 and not inputs[0].is_dir():
        return [_single(inputs[0], to, is_folder, far, pictures, are_pictures)]
    if not is_folder and (to.suffix.lower() in (*WRITABLE, *SUFFIXES) or to.exists()):
        raise UnusableAudio(f"{to} must be a folder: there are several recordings")
    for one, what in ((far, "--far"), (pictures, "--report")):
        if one and (one.is_file() or one.suffix.lower() in (*SUFFIXES, *_PICTURES)):
            raise UnusableAudio(f"{what} must be a folder, not {one}: there are several recordings")
    found = [pair for path in inputs for pair in _recordings(path, to)]
    jobs = _without_doubles([_job(source, name, to, far, pictures) for source, name in found])
    if not jobs:
        raise UnusableAudio(f"{', '.join(map(str, inputs))}: there is no recording in it")
    return jobs


def _target(given: Path | str) -> tuple[Path, bool]:
    """A path, and whether it is meant as a folder."""
    if "://" in str(given):
        raise UnusableAudio(f"{given} is an address, and here files of this machine are written")
    path = Path(given)
    return path, path.is_dir() or str(given).endswith(("/", os.sep))


def _single(
    source: Path, to: Path, is_folder: bool, far: Path | None, pictures: Path | None, are_pictures: bool
) -> Job:
    if not is_folder and not to.suffix:
        if to.name.lower() in SUFFIXES or to.exists():
            raise UnusableAudio(f"{to} must be a folder, or end in {', '.join(WRITABLE[:-1])} or {WRITABLE[-1]}")
        is_folder = True
    name = Path(source.name)
    theirs = _far_of(far, name) if far and far.is_dir() else far
    picture = pictures / name.with_suffix(".png") if pictures and are_pictures else pictures
    fault = f"{far} holds no far end for {name}" if far and not theirs else ""
    return Job(source, to / _name(name) if is_folder else to, theirs, picture, fault)


def _job(source: Path, name: Path, output: Path, far: Path | None, report: Path | None) -> Job:
    theirs = _far_of(far, name) if far else None
    fault = "" if source.exists() else f"{source} is not there"
    if far and not theirs:
        fault = fault or f"{far} holds no far end for {name}"
    picture = report / name.with_suffix(".png") if report else None
    return Job(source, output / _name(name), theirs, picture, fault)


def _without_doubles(jobs: Sequence[Job]) -> list[Job]:
    """Each recording once; of two that would go to the same file, the second is at fault."""
    first: dict[Path, Job] = {}
    kept: list[Job] = []
    for job in jobs:
        other = first.setdefault(job.target, job)
        if other is job:
            kept.append(job)
        elif _real(other.source) != _real(job.source):
            kept.append(replace(job, fault=f"{job.source} would be written to {job.target}, as {other.source} is"))
    return kept


def _recordings(path: Path, output: Path) -> Iterator[tuple[Path, Path]]:
    """Each recording with its name below `path`, without what is in `output` below it."""
    if not path.is_dir():
        yield path, Path(path.name)
        return
    made = _real(output)
    inside = made != _real(path) and made.is_relative_to(_real(path))
    for found in sorted(path.rglob("*")):
        if found.name.startswith(".") or found.suffix.lower() not in SUFFIXES or not found.is_file():
            continue
        if not (inside and _real(found).is_relative_to(made)):
            yield found, found.relative_to(path)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve() raises where links lead in a circle


def _name(name: Path) -> Path:
    return name if name.suffix.lower() in _LOSSLESS else name.with_suffix(".wav")


def _far_of(folder: Path, name: Path) -> Path | None:
    candidates = (folder / name, *sorted((folder / name).parent.glob(f"{glob.escape(name.stem)}.*")))
    return next((found for found in candidates if found.is_file()), None)
