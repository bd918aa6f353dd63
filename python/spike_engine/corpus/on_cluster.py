"""A corpus cleaned by Ray Data: which files go together, and what became of each."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spike_engine.clean.audio_file import SUFFIXES, UnusableAudio
from spike_engine.clean.planning import plan
from spike_engine.cluster import connect
from spike_engine.corpus.cleaner import LANES, Cleaner
from spike_engine.corpus.files import clean_files, joined, member, name_of
from spike_engine.extras import require

MOST_BYTES = 64 << 20  # of a .wav of 16 bits; cleaning takes some ten times as much memory
_EXPANSION = {".wav": 1, ".flac": 2}  # how much larger a file is as a .wav
_COMPRESSED = 10
_MOST_BLOCKS = 10_000  # that Ray's driver keeps an eye on with ease
_FOLDER = "cleaned"


@dataclass(frozen=True, slots=True)
class Source:
    """A recording, its name below the output, and about how large it is as a .wav."""

    path: str
    name: str
    size: int


def clean_on_cluster(
    inputs: Sequence[str],
    output: str,
    *,
    cleaner: Cleaner,
    address: str,
    on_done: Callable[[dict[str, Any], int], None] = lambda row, count: None,
) -> list[dict[str, Any]]:
    """Clean recordings and whole folders into `output`, as ``spike-engine clean`` does, by the workers of a cluster.

    Args:
        inputs: Paths, which every worker must find where they are, or addresses that fsspec knows, ``s3://bucket/raw``.
        output: The same; a folder, or for one recording a file.
        cleaner: How.
        address: The cluster, as :func:`spike_engine.cluster.connect` takes it.
        on_done: Told each result as it comes, and how many there will be.

    Returns:
        Of each recording what :meth:`Cleaner.files` says, and ``cpu_s``, its processor time; in the order of `inputs`.

    Raises:
        UnusableAudio: There is nothing to clean, or it cannot go to `output`.
        MissingExtra: Ray or fsspec is missing; both come with the extra ``ray``.
        ConnectionFailed: There is no such cluster.
    """
    require("fsspec", "cleaning on a cluster", extra="ray")
    require("ray", "cleaning on a cluster", extra="ray")
    sources, out, results = listed(inputs, output)
    order = {path: number for number, path in enumerate([*(source.path for source in sources), *results])}
    for result in results.values():
        on_done(result, len(order))
    if sources:
        ray = connect(address, "cleaning on a cluster")
        ray.data.DataContext.get_current().enable_progress_bars = False
        batches = [{"files": [(one.path, one.name) for one in batch]} for batch in batched(sources)]
        data = ray.data.from_items(batches, override_num_blocks=min(len(batches), _MOST_BLOCKS))
        for row in data.flat_map(_Worker(cleaner, out), num_cpus=1).iter_rows():
            results[row["path"]] = row
            on_done(row, len(order))
    return sorted(results.values(), key=lambda row: order[row["path"]])


def batched(sources: Iterable[Source]) -> Iterator[list[Source]]:
    """Recordings of about one length together, as many as the bank has lanes and as memory allows."""
    batch: list[Source] = []
    taken = 0
    for source in sorted(sources, key=lambda one: one.size, reverse=True):
        if batch and (len(batch) == LANES or taken + source.size > MOST_BYTES):
            yield batch
            batch, taken = [], 0
        batch.append(source)
        taken += source.size
    if batch:
        yield batch


@dataclass(frozen=True)
class _Worker:
    """What runs on the cluster."""

    cleaner: Cleaner
    out: str

    def __call__(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        began = time.process_time()
        results = clean_files(self.cleaner, [(str(path), str(name)) for path, name in row["files"]], out=self.out)
        cpu_s = (time.process_time() - began) / len(results)
        return [{**result, "cpu_s": cpu_s} for result in results]


def listed(inputs: Sequence[str], output: str) -> tuple[list[Source], str, dict[str, dict[str, Any]]]:
    """What there is to clean, the folder that it goes to, and the results of what cannot be cleaned."""
    remote = [each for each in inputs if "://" in each]
    local = [Path(each) for each in inputs if "://" not in each]
    sources = [source for address in remote for source in _found_at(address)]
    faults: dict[str, dict[str, Any]] = {}
    out = output
    if local:
        # The plan knows folders of this machine; elsewhere the names are all that is wanted of it.
        to = f"{_FOLDER}/" if "://" in output else output if not remote else f"{output}/"
        jobs = plan(local, to)
        single = len(jobs) == 1 and not local[0].is_dir()
        root = jobs[0].target.parent if single else Path(to)
        out = output if "://" in output else str(root.absolute())
        for job in jobs:
            path, name = str(job.source.absolute()), job.target.relative_to(root).as_posix()
            if job.fault:
                faults[path] = _result(path, joined(out, name), job.fault)
            else:
                sources.append(Source(path, name, _size(path, job.source.stat().st_size if job.source.exists() else 0)))
    elif "://" not in output:
        out = str(Path(output).absolute())
    if not sources and not faults:
        raise UnusableAudio(f"{', '.join(inputs)}: there is no recording in it")
    first: dict[str, Source] = {}
    for source in sources:
        other = first.setdefault(source.name, source)
        if other.path != source.path:
            target = joined(out, source.name)
            fault = f"{source.path} would be written to {target}, as {other.path} is"
            faults[source.path] = _result(source.path, target, fault)
    return list(first.values()), out, faults


def _found_at(address: str) -> Iterator[Source]:
    import fsspec  # noqa: PLC0415 (an extra)

    filesystem, base = fsspec.core.url_to_fs(address)
    own = member(address)

    def address_of(place: str) -> str:
        return address.replace(own, str(filesystem.unstrip_protocol(place)), 1)

    root = None if filesystem.isfile(base) else address_of(base)
    for found, details in sorted(filesystem.find(base, detail=True).items()):
        path = address_of(found)
        if posixpath.splitext(found)[1].lower() in SUFFIXES and not posixpath.basename(found).startswith("."):
            yield Source(path, name_of(path, root), _size(path, int(details.get("size") or 0)))


def _size(path: str, size: int) -> int:
    return size * _EXPANSION.get(posixpath.splitext(member(path))[1].lower(), _COMPRESSED)


def _result(path: str, target: str, error: str) -> dict[str, Any]:
    return {"path": path, "target": target, "seconds": 0.0, "skipped": False, "error": error, "cpu_s": 0.0}
