"""Which cluster the rig and the corpora use; tests/corpus/test_ray.py has the calls that are made from a real one."""

from __future__ import annotations

import pytest

from spike_engine import extras
from spike_engine.cluster import connect
from spike_engine.extras import MissingExtra


def test_a_cluster_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None)

    with pytest.raises(MissingExtra, match=r"calling needs ray: pip install \"spike-engine\[ray\]\""):
        connect("local", "calling")
