"""The local server that follows what OpenAI publishes of its Realtime API; orders and answers are lines of JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "tools"))

from answering import RealtimeServer


async def main() -> None:
    async with RealtimeServer() as server:
        server.voice.level = 0.3
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        print(json.dumps({"url": server.url}), flush=True)
        while line := await reader.readline():
            order = json.loads(line)
            if order["do"] == "say":
                server.say(order["kind"], **order["fields"])
                print("{}", flush=True)
            else:
                print(json.dumps(await asyncio.wait_for(server.received.get(), 20)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
