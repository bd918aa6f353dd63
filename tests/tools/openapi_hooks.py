"""Hooks of schemathesis for openapi.py: every second request is for a conversation that is there."""

from __future__ import annotations

from itertools import count
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis

_number = count()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Open a conversation for `case`."""
    if "{id}" not in case.path or next(_number) % 2:
        return
    parts = urlsplit(case.operation.base_url)
    opened = requests.post(f"{parts.scheme}://{parts.netloc}/conversations", timeout=10).json()
    if "token" in opened:
        case.path_parameters["id"] = opened["conversation_id"]
        case.headers["Authorization"] = f"Bearer {opened['token']}"
