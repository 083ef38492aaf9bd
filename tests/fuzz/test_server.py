"""Bytes that are nearly requests, sent to a real server: an answer that blames the sender, and the server goes on."""

import asyncio
import re
import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

from tests.support.agents import within, write_agent
from tests.support.server import ServerProcess, server_process

from .mangling import corpus, examples, fuzz, mangled, mangled_bytes

AGENT = """
export async function agent(input, chidori) {
  if (input.ask) return await chidori.input("Go on?", { choices: ["yes", "no"] });
  return { said: await chidori.prompt("hello") };
}
"""
SECONDS = 30.0
_PATIENCE = 0.1
_FAULT = re.compile(r"status=5\d\d|level=error|internal")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """The bytes of a request; its connection is closed when it has been answered."""
    head = [f"{line} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


CREATE = b'{"input": {"a": [1, "x"]}, "session_id": "s-%d", "agent": "agent.ts", "attempt_number": 2}'
REQUESTS = (
    request("GET /sessions?limit=5&cursor=000001&status=completed"),
    request("GET /sessions/done/stream?after=1", "Last-Event-ID: 1"),
    request("GET /sessions/done/checkpoint"),
    request("GET /sessions/open", "Authorization: Bearer key"),
    request("POST /sessions/done/cancel", body=b'{"reason": "enough"}'),
    request("POST /sessions/open/resume", "Idempotency-Key: k", body=b'{"response": "maybe", "seq": 1}'),
    request("POST /sessions/done/branch", body=b'{"at": 1, "result": "other", "note": "n"}'),
    request("POST /sessions/open/approve", body=b'{"decision": "allow", "seq": 1}'),
    request("POST /sessions", "Prefer: respond-async", "Expect: 100-continue", body=CREATE % 1),
    request("POST /hooks/a%20b?x=1&y=%C3%A4", "Content-Type: application/x-www-form-urlencoded", body=b"a=1&b=%20"),
    request("POST /sessions", "Transfer-Encoding: chunked") + b'e\r\n{"input": null}\r\n0\r\n\r\n',
    request(
        "PUT /hooks/gzip", "Content-Encoding: gzip", body=bytes.fromhex("1f8b08000000000002ffab56ca48cdc9c95702") + b"x"
    ),
    request("OPTIONS /sessions", "Origin: https://a.example", "Access-Control-Request-Method: POST"),
    request("GET /openapi.json") + request("GET /metrics"),
)
BODIES = (
    {"input": {"a": [1, "x"]}, "agent": "agent.ts", "attempt_number": 2, "policy_profile": "untrusted"},
    {"input": {"ask": True}, "session_id": "open", "replay_from": []},
    {"response": "yes", "seq": 1, "retry": False, "allow_source_change": True},
    {"at": 1, "result": {"b": None}, "note": "n"},
    {"decision": "allow", "seq": 1},
    {
        "input": {},
        "replay_from": [
            {
                "seq": 1,
                "function": "prompt",
                "args": {"text": "hello", "model": "m", "type": None},
                "result": "hi",
                "duration_ms": 1.5,
                "timestamp": "2026-01-31T12:00:00.000Z",
                "path": "1",
            }
        ],
    },
)
_PATHS = (
    "/sessions",
    "/sessions/open/resume",
    "/sessions/done/branch",
    "/sessions/open/approve",
    "/sessions/done/cancel",
    "/x",
)
_QUERIES = (b"limit=5", b"limit=000000001999999", b"cursor=00ff", b"status=paused", b"after=5", b"limit=1&limit=2")


@dataclass
class Sender:
    """Sends bytes to one server and keeps what was answered with a fault of the server."""

    server: ServerProcess
    faults: list[tuple[bytes, bytes]] = field(default_factory=list)

    def send(self, data: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.server.port), SECONDS) as connection:
            answer = _exchange(connection, data)
        if any(int(status) >= 500 for status in _STATUS.findall(answer)):
            self.faults.append((data, answer))
        assert not self.faults


def _exchange(connection: socket.socket, data: bytes) -> bytes:
    """What the server says until it closes the connection; a reset is an end too."""
    pieces = []
    try:
        connection.sendall(data)
        is_whole = False
        while True:
            # A server that waits for more is told that there is none; one that is about to answer is heard out.
            if not is_whole and not select.select([connection], [], [], _PATIENCE)[0]:
                connection.shutdown(socket.SHUT_WR)
                is_whole = True
            piece = connection.recv(1 << 16)
            if not piece:
                break
            pieces.append(piece)
    except TimeoutError:
        raise AssertionError(f"the server leaves the connection open after {data[:500]!r}") from None
    except OSError:
        pass
    return b"".join(pieces)


def _well_framed(given: tuple[str, bytes]) -> bytes:
    path, body = given
    return request(f"POST {path}", body=body)


def _query(data: bytes) -> bytes:
    return b"GET /sessions?" + data.replace(b" ", b"+") + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def _attack(folder: Path, examples: int, strategy: st.SearchStrategy[bytes], first: Sequence[bytes] = ()) -> None:
    environ = {"CHIDORI_TEST_LLM_RESPONSE": "fine", "CHIDORI_DURABILITY": "relaxed"}
    async with server_process(write_agent(folder, AGENT), environ) as server:
        sender = Sender(server)

        def work() -> None:
            for name, ask in (("done", b"false"), ("open", b"true")):
                body = b'{"input": {"ask": %b}, "session_id": "%b"}' % (ask, name.encode())
                sender.send(request("POST /sessions", body=body))
            for data in first:
                sender.send(data)
            fuzz(examples // 3 + 20, strategy, sender.send)
            with socket.create_connection(("127.0.0.1", server.port), SECONDS) as connection:
                assert _STATUS.findall(_exchange(connection, request("GET /health"))) == [b"200"]

        # The server's log has to be read meanwhile.
        await within(280, asyncio.to_thread(work))
        await server.stop()
        log = "\n".join(server.log)
    assert "Traceback" not in log, log[-10_000:]
    assert not [line for line in server.log if _FAULT.search(line)]


@examples
async def test_mangled_requests_never_are_the_servers_fault(examples: int, tmp_path: Path) -> None:
    await _attack(tmp_path, examples, mangled_bytes(REQUESTS), corpus("requests"))


@examples
async def test_requests_with_mangled_bodies_and_queries_never_are_the_servers_fault(
    examples: int, tmp_path: Path
) -> None:
    bodies = st.tuples(st.sampled_from(_PATHS), mangled(BODIES)).map(_well_framed)
    await _attack(tmp_path, examples, bodies | mangled_bytes(_QUERIES).map(_query))
