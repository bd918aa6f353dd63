"""Many recordings in parallel, with a progress bar."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import queue
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from spike_engine.addresses.text import printable
from spike_engine.clean.audio_file import AudioReader, UnusableAudio
from spike_engine.clean.cleaning import CleanedFile, CleaningOptions, clean_file
from spike_engine.clean.planning import Job
from spike_engine.lifetime import signals

_PROGRESS_EVERY_S = 2.0  # of sound, so that the queue stays short


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
        with closing(results):
            for index, outcome in results:
                if isinstance(outcome, CleanedFile):
                    cleaned[index] = outcome
                    progress.update(tasks[index], completed=outcome.seconds, total=outcome.seconds)
                else:
                    on_failure(outcome)
                    progress.stop_task(tasks[index])
    return [cleaned[index] for index in sorted(cleaned)]


_Results = Generator[tuple[int, CleanedFile | Exception]]


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
    stop = context.Event()
    finished: queue.SimpleQueue[Future[CleanedFile | Exception]] = queue.SimpleQueue()
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(read, stop)) as pool:
        try:
            with signals.held_back():  # the first ones start the processes
                running: dict[Future[CleanedFile | Exception], int] = {
                    pool.submit(_clean_elsewhere, index, job, options): index for index, job in enumerate(jobs)
                }
                for future in running:
                    future.add_done_callback(finished.put)
            while running:
                while not read.empty():
                    index, seconds = read.get()
                    progress.update(tasks[index], completed=seconds)
                # Ctrl-C within `concurrent.futures.wait` may leave a future locked, for which the pool waits for ever.
                with suppress(queue.Empty):
                    future = finished.get(timeout=0.1)
                    index = running.pop(future)
                    if (death := future.exception()) is not None:  # the process ended, for lack of memory perhaps
                        yield index, UnusableAudio(f"{jobs[index].source} was not cleaned: {death}")
                    else:
                        yield index, future.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)  # one that still starts needs what it shares with us
            raise


# Of a worker process: where it says how far it is, whether it should stop, and held while it works.
_read: Any = None
_stop: Any = None
_works = threading.Lock()


class _Stopped(BaseException):
    """Ends a recording in the middle, whatever it is at."""


def _begin(read: Any, stop: Any) -> None:
    """Make ready for jobs. The parent ends a worker: a signal to all of them must leave nothing half-written."""
    global _read, _stop
    _read, _stop = read, stop
    signals.ignore()
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        multiprocessing.connection.wait([parent.sentinel])
        _stop.set()
        with _works:
            os._exit(1)


def _clean_elsewhere(index: int, job: Job, options: CleaningOptions) -> CleanedFile | Exception:
    told = 0.0

    def tell(seconds: float) -> None:
        nonlocal told
        if _stop.is_set():
            raise _Stopped
        if seconds - told >= _PROGRESS_EVERY_S:
            told = seconds
            _read.put((index, seconds))

    with _works:
        tell(0.0)
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
