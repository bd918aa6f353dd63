from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="package")
def cluster() -> Iterator[None]:
    """A real Ray cluster of this machine; starting one takes many seconds."""
    ray: Any = pytest.importorskip("ray", reason="needs ray[data], which is in the dependency group peers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()
