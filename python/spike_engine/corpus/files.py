"""Files of any place that fsspec knows, cleaned side by side and found again after a restart."""

from __future__ import annotations

import hashlib
import json
import posixpath
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spike_engine import __version__
from spike_engine.clean.audio_file import AudioReader, AudioWriter, UnusableAudio
from spike_engine.corpus.clips import Clip, UnusableClip, clip_in
from spike_engine.extras import require

if TYPE_CHECKING:
    from spike_engine.corpus.cleaner import Cleaner

AT_ONCE = 32  # files that are held in memory together
_LOSSLESS = (".wav", ".flac")
_RECORDS = ".spike"  # the folder below the output that says of what each file was made


@dataclass(slots=True)
class _Work:
    """One file on its way."""

    path: str
    target: str
    record: str
    made_of: dict[str, str]
    local: Path
    reader: AudioReader | None = None
    clip: Clip | None = None
    skipped: bool = False
    error: str = ""

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
    results = []
    remaining = iter(named)
    while chunk := list(islice(remaining, AT_ONCE)):
        with tempfile.TemporaryDirectory() as folder:
            work = [_opened(cleaner, path, name, out, Path(folder) / str(i)) for i, (path, name) in enumerate(chunk)]
            try:
                _clean(cleaner, work)
            finally:
                for one in work:
                    if one.reader:
                        one.reader.close()
        results += [one.result() for one in work]
    return results


def _opened(cleaner: Cleaner, path: str, name: str, out: str, folder: Path) -> _Work:
    import fsspec  # noqa: PLC0415 (an extra)

    record = posixpath.join(out, _RECORDS, f"{name}.json")
    work = _Work(path, posixpath.join(out, name), record, {}, folder / Path(name).name)
    try:
        with fsspec.open(path, "rb") as file:
            content = file.read()
        work.made_of = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "engine": __version__,
            "settings": json.dumps(asdict(cleaner), sort_keys=True),
        }
        if _is_done(work):
            work.skipped = True
            return work
        source = folder / "source" / posixpath.basename(path)
        source.parent.mkdir(parents=True)
        source.write_bytes(content)
        work.reader = AudioReader(source)
        work.clip = clip_in(work.reader)
    except (OSError, ValueError) as error:
        work.error = str(error).replace(str(folder / "source" / posixpath.basename(path)), path)
    return work


def _clean(cleaner: Cleaner, work: list[_Work]) -> None:
    clips = {number: one.clip for number, one in enumerate(work) if one.clip}
    for number, samples in cleaner.clean(clips, {}).items():
        one = work[number]
        assert one.reader
        try:
            with AudioWriter(one.local, one.reader) as writer:
                writer.write(samples)
            _put(one)
        except (OSError, UnusableAudio) as error:
            one.error = str(error).replace(str(one.local), one.target)


def _put(work: _Work) -> None:
    """The file first, then the record that it is there: what breaks off between them is made again."""
    import fsspec  # noqa: PLC0415 (an extra)

    filesystem, target = fsspec.core.url_to_fs(work.target)
    filesystem.makedirs(posixpath.dirname(target), exist_ok=True)
    filesystem.put_file(str(work.local), target)
    filesystem, record = fsspec.core.url_to_fs(work.record)
    filesystem.makedirs(posixpath.dirname(record), exist_ok=True)
    filesystem.pipe_file(record, json.dumps(work.made_of).encode())


def _is_done(work: _Work) -> bool:
    import fsspec  # noqa: PLC0415 (an extra)

    filesystem, record = fsspec.core.url_to_fs(work.record)
    try:
        made_of = json.loads(filesystem.cat_file(record))
    except (OSError, ValueError):
        return False
    filesystem, target = fsspec.core.url_to_fs(work.target)
    return bool(made_of == work.made_of and filesystem.exists(target))


def name_of(path: str, root: str | None) -> str:
    """The name of `path` below `root`, or its last alone; what is no .wav or .flac becomes .wav.

    Raises:
        UnusableClip: It does not lie below `root`.
    """
    if root is None:
        name = posixpath.basename(path)
    elif path.startswith(root.rstrip("/") + "/"):
        name = path.removeprefix(root.rstrip("/")).lstrip("/")
    else:
        raise UnusableClip(f"{path} does not lie below {root}")
    stem, suffix = posixpath.splitext(name)
    return name if suffix.lower() in _LOSSLESS else f"{stem}.wav"
