"""Serves one worker: a JSON line with a payload of ``bytes`` bytes in, the same out, until stdin ends."""

import importlib
import json
import os
import signal
import sys


def main() -> None:
    """Answer each request of the parent; a failed one is answered with its error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which then closes stdin
    requests = sys.stdin.buffer
    # Native libraries may print: the pipe to the parent is ours alone.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    worker = importlib.import_module(sys.argv[1]).Worker()
    while line := requests.readline():
        request = json.loads(line)
        payload = requests.read(request.pop("bytes", 0))
        try:
            reply, data = worker.handle(request, payload)
        except Exception as error:
            reply, data = {"error": f"{type(error).__name__}: {error}"}, b""
        replies.write(json.dumps(reply | {"bytes": len(data)}).encode() + b"\n" + data)
        replies.flush()


if __name__ == "__main__":
    main()
