"""Files of any place that fsspec knows, cleaned side by side and found again after a restart."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spike_engine import __version__
from spike_engine.clean.audio_file import AudioReader, AudioWriter, SoundForm, UnusableAudio
from spike_engine.corpus.clips import Clip, UnusableClip, clip_in
from spike_engine.corpus.plain_wave import plain_wave
from spike_engine.extras import require

if TYPE_CHECKING:
    from spike_engine.corpus.cleaner import Cleaner

AT_ONCE = 32  # files that are held in memory together, or fewer where they are long
MOST_SAMPLES = 32 << 20  # of all their channels: half an hour at 16 kHz, some 130 MB as floats
_LOSSLESS = (".wav", ".flac")
_RECORDS = ".spike"  # the folder below the output that says of what each file was made


@dataclass(slots=True)
class _Work:
    """One file on its way.

    Attributes:
        path: Where it comes from.
        target: Where it goes to.
        filesystem: Of the output.
        place: `target` in it.
        record: The file there that says of what it was made.
        local: A file of this machine to write; `target` itself, where that is one.
        source: The same to read, where FFmpeg reads it.
        form: What its sound is like, and becomes again.
    """

    path: str
    target: str
    filesystem: Any
    place: str
    record: str
    local: Path
    source: Path
    made_of: dict[str, str] = field(default_factory=dict)
    form: SoundForm | None = None
    clip: Clip | None = None
    skipped: bool = False
    error: str = ""

    def fail(self, error: Exception) -> None:
        """Say what went wrong, by the names that the caller knows."""
        said = str(error).replace(str(self.source), self.path).replace(str(self.local), self.target)
        known = self.path in said or self.target in said
        self.error = said if known else f"{self.path} cannot be cleaned: {said or type(error).__name__}"

    @property
    def samples(self) -> int:
        """That it holds in memory."""
        return self.clip.samples.size if self.clip else 0

    def result(self) -> dict[str, Any]:
        seconds = round(len(self.clip.samples) / self.clip.rate_hz, 3) if self.clip else 0.0
        return {
            "path": self.path,
            "target": self.target,
            "seconds": seconds,
            "skipped": self.skipped,
            "error": self.error,
        }


def clean_files(cleaner: Cleaner, named: Iterable[tuple[str, str]], *, out: str) -> list[dict[str, Any]]:
    """See :meth:`spike_engine.corpus.Cleaner.files`; each path comes with its name below `out`."""
    require("fsspec", "cleaning files of a corpus", extra="ray")
    settings = json.dumps(asdict(cleaner), sort_keys=True)
    to = _found(out)
    results = []
    made_from: dict[str, str] = {}
    remaining = iter(named)
    while (first := next(remaining, None)) is not None:
        with tempfile.TemporaryDirectory() as folder:
            work: list[_Work] = []
            for path, name in chain([first], islice(remaining, AT_ONCE - 1)):
                one = _work(path, name, out, to, Path(folder, str(len(work))))
                work.append(one)
                other = made_from.setdefault(one.place, one.path)
                if other == one.path:
                    _read(one, settings)
                else:
                    one.error = f"{one.path} would be written to {one.target}, as {other} is"
                if sum(each.samples for each in work) >= MOST_SAMPLES:
                    break
            _clean(cleaner, work)
        results += [one.result() for one in work]
    return results


def _work(path: str, name: str, out: str, to: tuple[Any, str], folder: Path) -> _Work:
    filesystem, root = to
    place = posixpath.join(root, name)
    return _Work(
        path,
        joined(out, name),
        filesystem,
        place,
        record=posixpath.join(root, _RECORDS, f"{name}.json"),
        local=Path(place) if _is_here(filesystem) else folder / "made" / posixpath.basename(name),
        source=folder / "source" / posixpath.basename(path),
    )


def _found(path: str) -> tuple[Any, str]:
    """The filesystem of a path, and the path in it. What is no address is a file of this machine, of any name."""
    import fsspec  # noqa: PLC0415 (an extra)

    if "://" not in path:
        return fsspec.filesystem("file"), Path(os.path.realpath(path)).as_posix()
    filesystem, place = fsspec.core.url_to_fs(path)
    return filesystem, str(place)


def _is_here(filesystem: Any) -> bool:
    """Whether its paths are files of this machine, which need no copy."""
    return "file" in (filesystem.protocol, *filesystem.protocol)


def _read(work: _Work, settings: str) -> None:
    try:
        filesystem, path = _found(work.path)
        if (filesystem, path) == (work.filesystem, work.place):
            raise UnusableAudio(f"{work.path} would be replaced by what is made of it")
        content = filesystem.cat_file(path)
        sha256 = hashlib.sha256(content).hexdigest()
        work.made_of = {"sha256": sha256, "engine": __version__, "settings": settings}
        if _is_done(work):
            work.skipped = True
            return
        if plain := plain_wave(content):
            work.form, work.clip = plain, Clip(plain.samples, plain.rate_hz, lambda out: out)
            return
        if _is_here(filesystem):
            work.source = Path(path)
        else:
            work.source.parent.mkdir(parents=True)
            work.source.write_bytes(content)
        with AudioReader(work.source) as reader:
            work.form, work.clip = reader, clip_in(reader)
    except Exception as error:  # filesystems of others raise what they like, and one file ends no job
        work.fail(error)


def _clean(cleaner: Cleaner, work: list[_Work]) -> None:
    clips = {number: one.clip for number, one in enumerate(work) if one.clip}
    for number, samples in cleaner.clean(clips, {}).items():
        one = work[number]
        assert one.form
        try:
            with AudioWriter(one.local, one.form) as writer:
                writer.write(samples)
            _put(one)
        except Exception as error:  # as above
            one.fail(error)


def _put(work: _Work) -> None:
    """The file first, then the record that it is there: what breaks off between them is made again."""
    filesystem = work.filesystem
    if not _is_here(filesystem):
        filesystem.makedirs(posixpath.dirname(work.place), exist_ok=True)
        filesystem.put_file(str(work.local), work.place)
    filesystem.makedirs(posixpath.dirname(work.record), exist_ok=True)
    filesystem.pipe_file(work.record, json.dumps(work.made_of).encode())


def _is_done(work: _Work) -> bool:
    try:
        made_of = json.loads(work.filesystem.cat_file(work.record))
    except (OSError, ValueError):
        return False
    return bool(made_of == work.made_of and work.filesystem.exists(work.place))


def member(address: str) -> str:
    """The part of a chained address that names the file: ``zip://a.wav`` of ``zip://a.wav::s3://bucket/raw.zip``."""
    return next((part for part in address.split("::") if "://" in part), address)


def joined(folder: str, name: str) -> str:
    """The address of `name` in `folder`, which may be chained."""
    if "://" not in folder:
        return posixpath.join(folder, name)
    return folder.replace(member(folder), posixpath.join(member(folder), name), 1)


def name_of(path: str, root: str | None) -> str:
    """The name of `path` below `root`, or its last alone; what is no .wav or .flac becomes .wav.

    Raises:
        UnusableClip: It does not lie below `root`.
    """
    path, root = member(path), root and member(root)
    if root is None:
        name = posixpath.basename(path)
    elif path.startswith(root.rstrip("/") + "/"):
        name = path.removeprefix(root.rstrip("/")).lstrip("/")
    else:
        raise UnusableClip(f"{path} does not lie below {root}")
    stem, suffix = posixpath.splitext(name)
    return name if suffix.lower() in _LOSSLESS else f"{stem}.wav"
