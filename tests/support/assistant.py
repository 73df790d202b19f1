"""An assistant's program: the SDK's own client, which asks ``bokit mcp`` what its argument lists. Runs in .bokit/mcp."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters


async def ask(command: list[str], calls: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Start the server, list its tools, call them one after the other, and return what was answered."""
    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    async with Client(server, read_timeout_seconds=120) as client:
        tools = (await client.list_tools()).tools
        answers = []
        for name, arguments in calls:
            done = await client.call_tool(name, arguments)
            text = "".join(part.text for part in done.content if part.type == "text")
            answers.append({"error": bool(done.is_error), "text": text, "document": done.structured_content})
        reads = {tool.name: bool(tool.annotations and tool.annotations.read_only_hint) for tool in tools}
        return {"tools": reads, "answers": answers}


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(ask(given["command"], given["calls"]))))
