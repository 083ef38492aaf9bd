"""What a server tells, in answers, streams, logs and metrics, holds no value of ``env`` and no key of its own."""

import asyncio
from pathlib import Path

import orjson
from aiohttp import ClientSession

from tests.front_door.small_app import Client, Told
from tests.support.agents import write_agent
from tests.support.echoing import echoing
from tests.support.secrets import leaks_in, leaks_in_store
from tests.support.server import server_process

TOKEN = "tok/en+s3cr3t=Value&more~0123"
WORDS = 'quo"ted\\w\u00f6rd <s3cr3t> \U0001f600 / end'
API_KEY = "server-key-0123456789/abc"
HOOK_KEY = "webhook-key-0123456789+abc"
SECRETS = (TOKEN, WORDS, API_KEY, HOOK_KEY)
AGENT = """export async function agent(input: any, chidori: any) {
    const [token, words] = [await chidori.env("TOKEN"), await chidori.env("WORDS")];
    const key = await chidori.tryCall(() => chidori.env("CHIDORI_API_KEY"));
    const url = input.url ?? input.event.body.url;
    const seen = [];
    for (const place of ["text", "json", "encoded", "headers", "error"])
      seen.push(await chidori.http(`${url}/${place}`, { method: "POST", body: { token, words } }));
    console.log(JSON.stringify(seen));
    await chidori.log(`log ${token}`);
    seen.push(await chidori.prompt(`say ${words}`));
    if (input.event) return { headers: { "x-echo": token }, body: [input, seen, key] };
    if (input.ask) await chidori.input(`may I use ${token}?`, { choices: [words, "yes"] });
    if (input.fail) throw new Error(`failed: ${token} ${JSON.stringify(seen)}`);
    return seen; }"""


async def test_a_server_tells_no_value_and_no_key(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, AGENT)
    hooks = {"/hook": {"kind": "bearer", "secret": "${HOOK_KEY}"}}
    (tmp_path / "webhooks.json").write_bytes(orjson.dumps(hooks))
    environ = {
        "TOKEN": TOKEN,
        "WORDS": WORDS,
        "HOOK_KEY": HOOK_KEY,
        "CHIDORI_API_KEY": API_KEY,
        "CHIDORI_WEBHOOKS": str(tmp_path / "webhooks.json"),
        "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1",
        "CHIDORI_DB_PATH": str(tmp_path / "store"),
    }
    told: list[Told] = []
    async with (
        echoing(TOKEN, WORDS) as (echo, outside),
        server_process(agent, environ, "--log-format", "json") as server,
        ClientSession(headers={"Authorization": f"Bearer {API_KEY}"}) as session,
        asyncio.timeout(90),
    ):
        send = Client(server.url, session)
        for more in ({}, {"fail": True}, {"ask": True}):
            made = await send("POST", "/sessions", json={"input": {"url": outside.url, **more}})
            told.append(made)
            session_id = made.json["id"]
            if more.get("ask"):
                assert made.json["status"] == "paused", made
                told.append(await send("POST", f"/sessions/{session_id}/resume", json={"response": "yes"}))
                assert told[-1].status == 200
            paths = ("", "/checkpoint", "/stream")
            told += [await send("GET", f"/sessions/{session_id}{path}") for path in paths]
            told.append(await send("POST", f"/sessions/{session_id}/replay", json={}))
        hook = await send("POST", "/hook", json={"url": outside.url}, headers={"Authorization": f"Bearer {HOOK_KEY}"})
        assert hook.status == 200, hook
        assert "authorization" not in hook.json[0]["event"]["headers"]
        assert hook.json[2]["ok"] is False
        wrong = {"Authorization": f"Bearer {API_KEY}x"}
        told += [hook, await send("GET", "/sessions", headers=wrong), await send("POST", "/hook", headers=wrong)]
        told += [await send("GET", path) for path in ("/sessions", "/metrics", "/openapi.json", "/health")]
        assert echo.seen == {TOKEN, WORDS}
        assert await server.stop() == 0
    assert "chidori-env-TOKEN-" in repr(told)
    assert any("request" in line for line in server.log)
    assert leaks_in(repr(told), *SECRETS) == []
    assert leaks_in("\n".join(server.log), *SECRETS) == []
    assert leaks_in_store(tmp_path / "store", *SECRETS) == []
