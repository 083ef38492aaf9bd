"""An MCP server over stdio that speaks the protocol by hand, to say what the library's servers never would.

``python -m tests.support.mcp_raw_server MODE``, where MODE is ``good``, ``silent`` (never answers), ``stubborn``
(outlives the end of its input, which it notes in PID_FILE, and SIGTERM) or ``modern`` (knows no `initialize`).
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

_PIXEL = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
_LINES = [{"type": "text", "text": "one"}, {"type": "text", "text": '{"two": 2}'}]
_MODERN = {"resultType": "complete", "ttlMs": 0, "cacheScope": "public"}
_ABOUT = {"capabilities": {"tools": {}}, "serverInfo": {"name": "raw", "version": "1"}}
_ANSWERS = {
    "pixel": json.dumps({"content": [{"type": "text", "text": "look"}, _PIXEL]}),
    "lines": json.dumps({"content": _LINES, "resultType": "complete"}),
    "half_emoji": '{"content": [{"type": "text", "text": "\\ud83d!"}]}',
    "not_a_number": '{"content": [], "structuredContent": {"ratio": NaN}}',
    "deep": '{"content": [], "structuredContent": ' + '{"a":' * 300 + "1" + "}" * 301,
    "unreadable": '{"content": [{"type": "text", "text": "\\ud83d"}], "structuredContent": {"ratio": NaN}}',
    "wrong_shape": '{"content": 7}',
}


def _tools(cursor: str | None) -> dict[str, Any]:
    names = list(_ANSWERS)
    half = len(names) // 2
    shown = names[half:] if cursor else names[:half]
    listed: dict[str, Any] = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in shown]}
    return listed if cursor else {**listed, "nextCursor": "second"}


def _answer(mode: str, method: str, params: dict[str, Any]) -> str | None:
    """The rest of the reply, from its second field on."""
    match method:
        case "initialize" if mode == "modern":
            return '"error": {"code": -32022, "message": "too old", "data": {"supported": ["2026-07-28"]}}'
        case "initialize":
            return f'"result": {json.dumps({**_ABOUT, "protocolVersion": params["protocolVersion"]})}'
        case "server/discover" if mode == "modern":
            return f'"result": {json.dumps({**_ABOUT, **_MODERN, "supportedVersions": ["2026-07-28"]})}'
        case "server/discover":
            os._exit(1)  # as servers do that insist on `initialize`
        case "tools/list":
            return f'"result": {json.dumps({**_tools(params.get("cursor")), **_MODERN})}'
        case "tools/call":
            return f'"result": {_ANSWERS[params["name"]]}'
    return None


def note_pid() -> None:
    with Path(os.environ["PID_FILE"]).open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")


def main(mode: str) -> None:
    note_pid()
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("starting up", flush=True)
    print("ready for work", file=sys.stderr, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if mode == "silent" or "id" not in request:
            continue
        if rest := _answer(mode, request["method"], request.get("params", {})):
            print(f'{{"jsonrpc": "2.0", "id": {json.dumps(request["id"])}, {rest}}}', flush=True)
    if mode == "stubborn":
        note_pid()
    while mode == "stubborn":
        time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1])
