"""The page that answers the specification: what it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "spec.md"

pytestmark = pytest.mark.skipif(
    not PAGE.exists(), reason="the documentation is not here: an installed package is tested"
)


IN_A_BROWSER = r"`(web/[\w/.]+\.test\.tsx?)::([^`]+)`"  # file and title


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if row[-1] != "Proved by" and not set(row[0]) <= {"-"}]


def test_every_row_says_what_to_call_and_what_proves_it() -> None:
    assert len(rows()) >= 45
    for row in rows():
        assert len(row) == 3, row
        assert all(row), row
        assert re.findall(r"`[\w/]+\.py(?:::\w+)?`", row[2]) or re.findall(IN_A_BROWSER, row[2]), row


def test_every_test_that_the_page_names_exists() -> None:
    for file, name in re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", "\n".join(row[2] for row in rows())):
        path = TESTS / file
        assert path.exists(), f"{file} does not exist"
        functions = {node.name for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "name")}
        assert not name or name in functions, f"{file} has no {name}"


def test_every_test_that_the_museum_names_exists() -> None:
    page = PAGE.with_name("museum.md").read_text()
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", page)
    assert len(named) >= 20
    for file, name in named:
        functions = {node.name for node in ast.walk(ast.parse((TESTS / file).read_text())) if hasattr(node, "name")}
        assert not name or name in functions, f"{file} has no {name}"


def test_every_browser_test_that_the_page_names_exists() -> None:
    named = re.findall(IN_A_BROWSER, "\n".join(row[2] for row in rows()))
    assert len(named) >= 30
    for file, title in named:
        text = (TESTS.parent / file).read_text()
        assert f"it('{title}'" in text or f"describe('{title}'" in text, f"{file} has no {title!r}"
