"""schemathesis over the server's own description: `python tests/tools/openapi.py [ARGUMENT ...]` of ``st run``.

Half of the requests are for conversations that exist, with their token (`openapi_hooks.py`).
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from host import Host

from spike_engine.server import ConversationServer

# Without those that take the hooks' tokens for forged or missing ones, any text for a session description, and a
# conversation for a connection.
LEFT_OUT = "ignored_auth,missing_required_header,positive_data_acceptance,ensure_resource_availability"
COMMAND = (sys.executable, "-m", "schemathesis.cli", "run", "--seed", "1", "--exclude-checks", LEFT_OUT)


async def main(arguments: list[str]) -> int:
    """Run it, and return its exit code."""
    async with ConversationServer(persona=Host, max_conversations=64, idle_timeout_s=5.0) as server:
        environment = os.environ | {"SCHEMATHESIS_HOOKS": "openapi_hooks", "PYTHONPATH": str(Path(__file__).parent)}
        url = f"{server.url}/openapi.json"
        return await (await asyncio.create_subprocess_exec(*COMMAND, url, *arguments, env=environment)).wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
