"""The example for Kubernetes: right by Kubernetes' own schemas, and true to the server that it runs."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from spike_engine.cli.arguments import parser
from spike_engine.server.metrics import exposition

yaml = pytest.importorskip("yaml")
FILE = Path(__file__).parent.parent / "examples" / "kubernetes" / "spike-engine.yaml"


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    if not FILE.exists():
        pytest.skip("the examples are not here: an installed package is tested")
    return {each["kind"]: each for each in yaml.safe_load_all(FILE.read_text())}


@pytest.mark.parametrize("kind", ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"])
def test_the_schemas_of_kubernetes_accept_it(objects: dict[str, Any], kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it imports is its own affair
        validate = pytest.importorskip("kubernetes_validate", reason="is in the dependency group peers")
        validate.validate(objects[kind], "1.31", strict=True)
        with pytest.raises(validate.ValidationError):
            validate.validate(objects[kind] | {"spec": objects[kind]["spec"] | {"selectr": {}}}, "1.31", strict=True)


def test_the_server_accepts_its_arguments(objects: dict[str, Any]) -> None:
    pod = objects["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    options = parser().parse_args(container["args"])

    (port,) = container["ports"]
    assert (options.command, options.port) == ("serve", port["containerPort"])
    assert options.drain_timeout < pod["spec"]["terminationGracePeriodSeconds"]
    first, last = options.udp_ports
    assert last - first + 1 >= 4 * options.max_conversations  # a few addresses a node
    assert str(options.workers) == container["resources"]["requests"]["cpu"]
    assert f"UDP {first}-{last}" in FILE.with_name("README.md").read_text()
    for other in ("Service", "PodDisruptionBudget"):
        selector = objects[other]["spec"]["selector"]
        assert selector.get("matchLabels", selector) == pod["metadata"]["labels"]


def test_the_autoscaler_reads_a_metric_that_there_is(objects: dict[str, Any]) -> None:
    (metric,) = objects["HorizontalPodAutoscaler"]["spec"]["metrics"]
    page = exposition([], conversations=3, free_places=1, draining=False, http_errors={})

    assert re.search(rf"^{metric['pods']['metric']['name']} 0.75$", page, re.MULTILINE)
