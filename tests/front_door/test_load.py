"""Many clients at once, on the server as a process: nothing lost, bounded memory, a graceful stop, no secret logged."""

import asyncio
import hmac
import re
import resource
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import orjson
import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector

from tests.front_door.exposition import read_exposition
from tests.front_door.small_app import Client
from tests.support.agents import within, write_agent
from tests.support.gate import Gate, gate
from tests.support.server import ServerProcess, server_process

pytestmark = pytest.mark.slow

SECONDS = 240
STREAMS = 10_000
SESSIONS = 1000
LOCAL = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}
KEY, SECRET, PROMPT, QUERY = "the-key-of-the-api", "the-secret-of-github", "the words of the prompt", "token-in-a-query"
"""What must never be in a log."""

FETCHES = """
export async function agent(input: any, chidori: any) {
  await chidori.log("began", { n: input.n });
  const answer = await chidori.http(input.url);
  await chidori.log("through", { n: input.n });
  return { n: input.n, through: answer.body.through };
}
"""

WAITS = """
export async function agent(input: any, chidori: any) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  return input;
}
"""

PROMPTS = """
export async function agent(input: any, chidori: any) {
  return await chidori.prompt(input.event === undefined ? input.text : input.event.body.text);
}
"""


@asynccontextmanager
async def calling(server: ServerProcess, **headers: str) -> AsyncIterator[Client]:
    """A client of the server that makes as many requests at once as it is asked to."""
    timeout = ClientTimeout(total=SECONDS)
    async with ClientSession(connector=TCPConnector(limit=0), timeout=timeout, headers=headers) as session:
        yield Client(server.url, session)


async def _start(client: Client, held: Gate, number: int) -> None:
    body = {"input": {"n": number, "url": f"{held.url}/held"}, "session_id": f"s-{number}"}
    told = await client("POST", "/sessions", json=body, headers={"Prefer": "respond-async"})
    assert told.status == 202, told.body


async def _start_all(client: Client, held: Gate, count: int) -> None:
    """So many sessions under way, each in the middle of a request."""
    for first in range(0, count, 50):
        await asyncio.gather(*(_start(client, held, number) for number in range(first, min(first + 50, count))))
    await within(SECONDS, held.until_asked("/held", count))


async def _attach(server: ServerProcess, stack: AsyncExitStack, session: str, after: int = 0) -> asyncio.StreamReader:
    """A stream of the session, its first event received."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    stack.push_async_callback(_close, writer)
    writer.write(f"GET /sessions/{session}/stream?after={after} HTTP/1.0\r\n\r\n".encode())
    await within(SECONDS, reader.readuntil(b"\nevent: call\n"))
    return reader


async def _attach_all(server: ServerProcess, stack: AsyncExitStack, sessions: list[str]) -> list[asyncio.StreamReader]:
    readers: list[asyncio.StreamReader] = []
    for first in range(0, len(sessions), 100):
        some = sessions[first : first + 100]
        readers += await asyncio.gather(*(_attach(server, stack, session) for session in some))
    return readers


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What is left of a stream, to its end."""
    try:
        async with asyncio.timeout(SECONDS):
            return await reader.read()
    except ConnectionError:
        return b""


async def _metric(client: Client, name: str, *labels: tuple[str, str]) -> float:
    told = await within(SECONDS, client("GET", "/metrics"))
    return read_exposition(told.body.decode())[name].samples[name, labels]


@pytest.fixture
def limit_files() -> Iterator[Callable[[int], None]]:
    """Sets how many files this process, and those that it starts from then on, may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def limit(count: int) -> None:
        if hard != resource.RLIM_INFINITY and hard < count:
            pytest.skip(f"a process may have no more than {hard} files open here, not {count}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))

    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _resident_kilobytes(server: ServerProcess) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])


async def test_ten_thousand_idle_streams_take_little_and_all_hear_the_end(
    tmp_path: Path, limit_files: Callable[[int], None]
) -> None:
    limit_files(1024)  # the server raises its own
    agent = write_agent(tmp_path, FETCHES)
    async with gate() as held, server_process(agent, LOCAL) as server, calling(server) as client:
        limit_files(STREAMS + 500)
        await _start_all(client, held, 1)
        async with AsyncExitStack() as stack:
            before = _resident_kilobytes(server)
            readers = await _attach_all(server, stack, ["s-0"] * STREAMS)
            each = (_resident_kilobytes(server) - before) / STREAMS
            print(f"{each:.1f} KB for each idle stream")
            assert each < 100
            assert (await client("GET", "/health")).status == 200
            held.open("/held")
            ends = await asyncio.gather(*map(_rest, readers))
        assert all(end.count(b"event: done\n") == 1 and b'"status":"completed"' in end for end in ends)


async def test_a_thousand_running_sessions_are_streamed_to_their_ends(
    tmp_path: Path, limit_files: Callable[[int], None]
) -> None:
    limit_files(4 * SESSIONS)
    agent = write_agent(tmp_path, FETCHES)
    async with gate() as held, server_process(agent, LOCAL) as server, calling(server) as client:
        before = _resident_kilobytes(server)
        await _start_all(client, held, SESSIONS)
        running = _resident_kilobytes(server)
        names = [f"s-{number}" for number in range(SESSIONS)]
        async with AsyncExitStack() as stack:
            readers = await _attach_all(server, stack, names)
            streaming = _resident_kilobytes(server)
            print(
                f"{(running - before) / SESSIONS:.0f} KB a session, {(streaming - running) / SESSIONS:.1f} KB a stream"
            )
            assert streaming - running < 100 * SESSIONS
            assert await _metric(client, "chidori_live_sessions") == SESSIONS
            held.open("/held")
            ends = await asyncio.gather(*map(_rest, readers))
        for number, end in enumerate(ends):
            done = orjson.loads(end.rpartition(b"event: done\ndata: ")[2])
            assert (done["status"], done["output"]) == ("completed", {"n": number, "through": "/held"})


async def test_of_many_requests_at_once_those_that_wait_too_long_are_refused_and_none_is_lost(tmp_path: Path) -> None:
    cap = {"CHIDORI_MAX_CONCURRENT_SESSIONS": "8", "CHIDORI_ACQUIRE_TIMEOUT_MS": "1500"}
    async with server_process(write_agent(tmp_path, WAITS), cap) as server, calling(server) as client:
        posting = [asyncio.create_task(client("POST", "/sessions", json={"input": n})) for n in range(500)]
        scraped = 0
        while not all(each.done() for each in posting):
            assert await _metric(client, "chidori_live_sessions") <= 500
            scraped += 1
        answers = [await each for each in posting]
        counts = Counter(answer.status for answer in answers)
        print(f"{counts}, {scraped} scrapes in the meantime")
        assert set(counts) == {201, 503}
        for number, answer in enumerate(answers):
            if answer.status == 503:
                assert (answer.headers["Retry-After"], answer.json["acquire_timeout_ms"]) == ("1", 1500)
            else:
                assert (answer.json["status"], answer.json["output"]) == ("completed", number)
        listed = (await client("GET", "/sessions?limit=500")).json["sessions"]
        made = {answer.json["id"] for answer in answers if answer.status == 201}
        assert {each["id"] for each in listed if each["status"] == "completed"} == made
        assert len(listed) == len(made)
        assert await _metric(client, "chidori_live_sessions") == 0
        assert await _metric(client, "chidori_runs_rested_total", ("status", "completed")) == len(made)


async def test_a_stop_under_load_ends_the_streams_and_everything_goes_on_after_it(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, FETCHES)
    names = [f"s-{number}" for number in range(50)]
    async with gate() as held, server_process(agent, LOCAL, "--grace", "1") as server, calling(server) as client:
        await _start_all(client, held, 50)
        async with AsyncExitStack() as stack:
            readers = await _attach_all(server, stack, names)
            stopped = asyncio.create_task(server.stop())
            ends = await asyncio.gather(*map(_rest, readers))
            assert await within(SECONDS, stopped) == 0
        assert not any(b"event: done" in end for end in ends), "they are not at rest, they go on"
        await server.start()
        await within(SECONDS, held.until_asked("/held", 100))
        held.open("/held")
        for number, name in enumerate(names):
            stream = await within(SECONDS, client("GET", f"/sessions/{name}/stream"))
            done = orjson.loads(stream.body.rpartition(b"event: done\ndata: ")[2])
            assert (done["status"], done["output"]) == ("completed", {"n": number, "through": "/held"})
            ids = [int(each) for each in re.findall(rb"^id: (\d+)$", stream.body, re.MULTILINE)]
            assert ids == sorted(ids)
            assert stream.body.count(b"event: call\n") == 3
        assert "Traceback" not in "\n".join(server.log)


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_secret_is_in_the_log(tmp_path: Path, log_format: str) -> None:
    entries = tmp_path / "webhooks.json"
    entries.write_bytes(orjson.dumps({"/hook": {"kind": "github", "secret": SECRET}}))
    environ = {"CHIDORI_API_KEY": KEY, "CHIDORI_WEBHOOKS": str(entries)}
    agent = write_agent(tmp_path, PROMPTS)
    async with server_process(agent, environ, "--log-format", log_format) as server:
        async with calling(server, Authorization=f"Bearer {KEY}") as client:
            posted = await asyncio.gather(*(_prompt(client, f"{PROMPT} {number}") for number in range(50)))
            assert set(posted) == {201}
            assert (await _deliver(client, SECRET)) == 200
            assert (await _deliver(client, "another")) == 401
            assert (await client("GET", f"/sessions?cursor={QUERY}")).status == 422
            assert (await client("POST", "/sessions", data=f'{{"input": "{PROMPT}')).status == 400
            assert (await client("GET", "/metrics")).status == 200
        async with calling(server, Authorization=f"Bearer {KEY}x") as client:
            assert (await client("GET", "/sessions")).status == 401
        assert await server.stop() == 0
    log = "\n".join(server.log)
    assert log.count("/sessions") > 50
    for secret in (KEY, SECRET, PROMPT, QUERY):
        assert secret not in log, secret


async def _prompt(client: Client, text: str) -> int:
    return (await client("POST", "/sessions", json={"input": {"text": text}})).status


async def _deliver(client: Client, secret: str) -> int:
    body = orjson.dumps({"text": PROMPT})
    signature = "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()
    return (await client("POST", "/hook", data=body, headers={"X-Hub-Signature-256": signature})).status
