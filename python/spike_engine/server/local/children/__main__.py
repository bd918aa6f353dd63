"""Serves one worker: a JSON line with a payload of ``bytes`` bytes in, the same out, until stdin ends."""

import importlib
import json
import os
import signal
import sys
from typing import Any, BinaryIO


def main() -> None:
    """Serve the module that the command line names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which then closes stdin
    # Native libraries may print: the pipe to the parent is ours alone.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as replies:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        serve(importlib.import_module(sys.argv[1]).Worker(), sys.stdin.buffer, replies)


def serve(worker: Any, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer each request of the parent; one that fails is answered with its error."""
    while line := requests.readline():
        request = json.loads(line)
        payload = requests.read(request.pop("bytes", 0))
        try:
            reply, data = worker.handle(request, payload)
        except Exception as error:  # the parent raises it again
            reply, data = {"error": f"{type(error).__name__}: {error}"}, b""
        replies.write(json.dumps(reply | {"bytes": len(data)}).encode() + b"\n" + data)
        replies.flush()


if __name__ == "__main__":
    main()
