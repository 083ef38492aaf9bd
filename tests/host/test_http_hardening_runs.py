"""Strange answers in whole runs: recorded, given to the agent, and given again when the run is replayed."""

from pathlib import Path

import orjson
import pytest

from tests.support.agents import runtime_in, start, write_agent
from tests.support.raw_server import OK, once, serve_raw
from tests.support.starlark import check_replay, text_of

JSON = OK + b"Content-Type: application/json\r\n\r\n"
BODIES = {
    "nul": JSON + b'{"a\\u0000": "\\u0000"}',
    "surrogate": JSON + b'["\\ud800"]',
    "utf8": JSON + b'["\xff\xed\xa0\x80"]',
    "deep": JSON + b"[" * 100_000 + b"]" * 100_000,
    "within": JSON + b"[" * 200 + b"]" * 200,
    "infinite": JSON + b"[1e400]",
    "digits": JSON + b"[" + b"7" * 100_000 + b"]",
    "fewer": JSON + b"[" + b"7" * 4_000 + b"]",
    "prototype": JSON + b'{"__proto__": {"polluted": true}, "constructor": 1, "toString": 2}',
    "raw": OK + b"\r\n" + bytes(range(256)),
    "large": JSON + b'["' + b"x" * 1_000_000 + b'"]',
}
TYPESCRIPT = """
import type { Chidori } from "chidori";
export async function agent(input: any, chidori: Chidori) {
  const seen: any = {};
  for (const [name, url] of Object.entries(input.urls)) {
    const answer: any = await chidori.http(url as string);
    seen[name] = [answer.status, typeof answer.body, JSON.stringify(answer.body).length];
  }
  return { seen, polluted: ({} as any).polluted === true };
}
"""
STARLARK = """
def agent(urls):
    seen = {}
    for name, url in urls.items():
        answer = http("GET", url)
        seen[name] = [answer["status"], type(answer["body"]), len(str(answer["body"]))]
    return {"seen": seen, "polluted": False}
"""


@pytest.mark.parametrize(("name", "source"), [("agent.ts", TYPESCRIPT), ("agent.star", STARLARK)])
@pytest.mark.parametrize("strange", BODIES)
async def test_a_strange_answer_does_not_fail_the_run(tmp_path: Path, name: str, source: str, strange: str) -> None:
    path = write_agent(tmp_path, source, name)
    async with runtime_in(tmp_path) as runtime, serve_raw(once(BODIES[strange])) as server:
        result = await start(runtime, path, {"urls": {strange: server.url}})
        status, kind, size = (output := orjson.loads(text_of(result)))["seen"][strange]
        assert (status, output["polluted"]) == (200, False)
        assert kind in ("object", "string", "list", "dict")
        assert size > 0
        await check_replay(runtime, result)
        assert len(server.heads) == 1
