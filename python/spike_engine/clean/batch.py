"""Many recordings in parallel, with a progress bar."""

from __future__ import annotations

import glob
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from spike_engine.addresses.text import printable
from spike_engine.clean.audio_file import SUFFIXES, WRITABLE, AudioReader, UnusableAudio
from spike_engine.clean.cleaning import CleanedFile, CleaningOptions, clean_file

_PROGRESS_EVERY_S = 2.0  # of sound, so that the queue stays short
_LOSSLESS = (".wav", ".flac")


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


def plan(inputs: Sequence[Path], output: Path, *, far: Path | None = None, report: Path | None = None) -> list[Job]:
    """The jobs for `inputs`, files or folders.

    One file goes to `output`, or into it where that is a folder or has no suffix. Several, and whole folders with their
    subfolders, go into the folder `output` under their own names; what is neither .wav nor .flac becomes .wav. `far` is
    then the folder that holds a recording of the loudspeaker under each name, and `report` one for the pictures.

    Raises:
        UnusableAudio: `output` has a suffix that nobody writes, there is nothing to clean, or two would go to the same
            file.
    """
    if len(inputs) == 1 and not inputs[0].is_dir():
        into = output.is_dir() or not output.suffix
        return [Job(inputs[0], output / _name(Path(inputs[0].name)) if into else output, far, report)]
    if output.suffix.lower() in (*WRITABLE, *SUFFIXES) or output.is_file():
        raise UnusableAudio(f"{output} must be a folder: there are several recordings")
    for one, what in ((far, "--far"), (report, "--report")):
        if one and (one.is_file() or one.suffix.lower() in (*SUFFIXES, ".png", ".svg")):
            raise UnusableAudio(f"{what} must be a folder, not {one}: there are several recordings")
    jobs = [_job(source, name, output, far, report) for path in inputs for source, name in _recordings(path)]
    if not jobs:
        raise UnusableAudio(f"{', '.join(map(str, inputs))}: there is no recording in it")
    for target, count in Counter(job.target for job in jobs).items():
        if count > 1:
            raise UnusableAudio(f"two recordings would be written to {target}")
    return jobs


def _job(source: Path, name: Path, output: Path, far: Path | None, report: Path | None) -> Job:
    theirs = _far_of(far, name) if far else None
    fault = "" if source.exists() else f"{source} is not there"
    if far and not theirs:
        fault = fault or f"{far} holds no far end for {name}"
    picture = report / name.with_suffix(".png") if report else None
    return Job(source, output / _name(name), theirs, picture, fault)


def run(
    jobs: Sequence[Job],
    options: CleaningOptions,
    console: Console,
    *,
    processes: int | None = None,
    on_failure: Callable[[Exception], None],
) -> list[CleanedFile]:
    """Clean all, several at a time; one that fails stops no other. Returns what succeeded, in order."""
    with _progress(console) as progress:
        tasks = [progress.add_task(escape(printable(job.source.name)), total=_seconds(job.source)) for job in jobs]
        processes = min(len(jobs), processes or os.cpu_count() or 1)
        results = (_run_here if processes == 1 else _run_in_processes)(jobs, options, processes, progress, tasks)
        cleaned: dict[int, CleanedFile] = {}
        for index, outcome in results:
            if isinstance(outcome, CleanedFile):
                cleaned[index] = outcome
                progress.update(tasks[index], completed=outcome.seconds, total=outcome.seconds)
            else:
                on_failure(outcome)
                progress.stop_task(tasks[index])
    return [cleaned[index] for index in sorted(cleaned)]


_Results = Iterator[tuple[int, CleanedFile | Exception]]


def _run_here(
    jobs: Sequence[Job], options: CleaningOptions, processes: int, progress: Progress, tasks: list[Any]
) -> _Results:
    for index, job in enumerate(jobs):

        def show(seconds: float, task: Any = tasks[index]) -> None:
            progress.update(task, completed=seconds)

        yield index, _clean(job, options, show)


def _run_in_processes(
    jobs: Sequence[Job], options: CleaningOptions, processes: int, progress: Progress, tasks: list[Any]
) -> _Results:
    context = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
    read: Any = context.SimpleQueue()
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(read,)) as pool:
        running: dict[Future[CleanedFile | Exception], int] = {
            pool.submit(_clean_elsewhere, index, job, options): index for index, job in enumerate(jobs)
        }
        try:
            while running:
                done, _ = wait(running, timeout=0.1, return_when=FIRST_COMPLETED)
                while not read.empty():
                    index, seconds = read.get()
                    progress.update(tasks[index], completed=seconds)
                for future in done:
                    index = running.pop(future)
                    if (death := future.exception()) is not None:  # the process ended, for lack of memory perhaps
                        yield index, UnusableAudio(f"{jobs[index].source} was not cleaned: {death}")
                    else:
                        yield index, future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_read: Any = None  # where a worker process says how far it is


def _begin(read: Any) -> None:
    global _read  # noqa: PLW0603 (what a process is given at its start has no other place)
    _read = read


def _clean_elsewhere(index: int, job: Job, options: CleaningOptions) -> CleanedFile | Exception:
    told = 0.0

    def tell(seconds: float) -> None:
        nonlocal told
        if seconds - told >= _PROGRESS_EVERY_S:
            told = seconds
            _read.put((index, seconds))

    return _clean(job, options, tell)


def _clean(job: Job, options: CleaningOptions, on_progress: Callable[[float], None]) -> CleanedFile | Exception:
    if job.fault:
        return UnusableAudio(job.fault)
    try:
        return clean_file(
            job.source, job.target, far=job.far, options=options, report=job.report, on_progress=on_progress
        )
    except UnusableAudio as error:
        return error
    except Exception as error:  # whatever it was: it is this recording's, and the others are cleaned
        return UnusableAudio(f"{job.source} was not cleaned: {str(error) or type(error).__name__}")


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)


def _seconds(path: Path) -> float | None:
    try:
        with AudioReader(path) as reader:
            return reader.seconds or None
    except UnusableAudio:  # said when its turn comes
        return None


def _recordings(path: Path) -> Iterator[tuple[Path, Path]]:
    """Each recording with its name below `path`."""
    if not path.is_dir():
        yield path, Path(path.name)
        return
    for found in sorted(path.rglob("*")):
        if found.is_file() and found.suffix.lower() in SUFFIXES and not found.name.startswith("."):
            yield found, found.relative_to(path)


def _name(name: Path) -> Path:
    return name if name.suffix.lower() in _LOSSLESS else name.with_suffix(".wav")


def _far_of(folder: Path, name: Path) -> Path | None:
    candidates = (folder / name, *sorted((folder / name).parent.glob(f"{glob.escape(name.stem)}.*")))
    return next((found for found in candidates if found.is_file()), None)
