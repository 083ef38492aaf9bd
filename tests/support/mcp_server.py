"""A real MCP server: ``python -m tests.support.mcp_server``, over stdio or with ``--http PORT`` on 127.0.0.1."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

server = MCPServer("test", log_level="ERROR")
calls = {"begun": 0, "cancelled": 0}
waiting: list[asyncio.Event] = []


class Filter(BaseModel):
    field: str
    order: Literal["up", "down"] = "up"
    limits: list[int] = Field(default=[1, 10], max_length=2)


class Query(BaseModel):
    text: str = Field(description="What to look for")
    filters: list[Filter] = []


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    calls["begun"] += 1
    return a + b


@server.tool()
def echo(value: Query) -> Query:
    """Give the value back."""
    calls["begun"] += 1
    return value


@server.tool()
def fail(message: str) -> str:
    """Report an error."""
    calls["begun"] += 1
    raise ToolError(message)


@server.tool()
async def slow(ms: int) -> str:
    """Wait."""
    calls["begun"] += 1
    try:
        await asyncio.sleep(ms / 1000)
    except asyncio.CancelledError:
        calls["cancelled"] += 1
        raise
    return f"waited {ms} ms"


@server.tool()
async def meet(people: int) -> str:
    """Wait until so many calls are under way at once."""
    calls["begun"] += 1
    waiting.append(mine := asyncio.Event())
    if len(waiting) == people:
        for event in waiting:
            event.set()
    await mine.wait()
    return "met"


@server.tool()
def size(text: str) -> int:
    """How many characters the text has."""
    return len(text)


@server.tool()
def die() -> str:
    """End the process in the middle of the call."""
    print("about to die", file=sys.stderr, flush=True)
    os._exit(3)


@server.tool()
def count() -> dict[str, int]:
    """How many calls this process had, and how many of them were cancelled."""
    return calls


@server.tool()
def environment(name: str) -> str:
    """A variable of the server's environment."""
    return os.environ.get(name, "")


if __name__ == "__main__":
    if pids := os.environ.get("PID_FILE"):
        with Path(pids).open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
    if sys.argv[1:2] == ["--http"]:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")
