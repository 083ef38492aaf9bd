"""Values and the operator's credentials towards MCP servers and model providers."""

import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors.host.litellm_errors import provider_error, provider_secrets
from chidori_actors.host.mcp_transport import StderrTail
from tests.session.test_secrets import ENVIRON, RUN, SECRETS, agent, assert_clean, attended
from tests.support.agents import (
    LOCAL,
    RecordingObserver,
    failure_of,
    output_of,
    pause_of,
    records_of,
    runtime_in,
    start,
    within,
    write_agent,
)
from tests.support.http_server import serve
from tests.support.litellm_warnings import LITELLM_WARNINGS
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.secrets import leaks_in, leaks_in_store

pytestmark = LITELLM_WARNINGS
ROOT = Path(__file__).parents[2]
KEY = "sk-0123456789abcdefghijklmnopqrstuvwxyz"
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq+hkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQ==\n-----END KEY-----"


def with_servers(folder: Path, environ: Mapping[str, str], **servers: Any) -> dict[str, str]:
    """Settings of a run that may use those MCP servers."""
    file = folder / "mcp.json"
    file.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    return {**environ, "CHIDORI_MCP_CONFIG": str(file)}


def python(program: str, **env: str) -> dict[str, Any]:
    return {"command": sys.executable, "args": ["-c", program], "env": env}


REAL = {
    "command": sys.executable,
    "args": ["-m", "tests.support.mcp_server"],
    "env": {"PYTHONPATH": str(ROOT), "CREDENTIAL": "${CREDENTIAL}"},
}


async def test_an_mcp_server_that_gives_values_back_puts_them_nowhere(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        agent(
            """const seen = [];
            for (const value of [token, words]) {
              seen.push(await chidori.tool("real__echo", { value: { text: value, filters: [{ field: value }] } }));
              seen.push(await chidori.tool("real__echo", { value: { text: JSON.stringify({ value }) } }));
              seen.push(await chidori.tryCall(() => chidori.tool("real__fail", { message: `bad ${value}` })));
              seen.push(await chidori.tryCall(() => chidori.tool("real__add", { a: value, b: 1 })));
              seen.push(await chidori.tryCall(() => chidori.tool(`real__${value}`, {})));
            }
            seen.push(await chidori.tool("real__environment", { name: "CREDENTIAL" }));
            console.log(JSON.stringify(seen));
            await chidori.input("wait");
            return seen;"""
        ),
    )
    observer = RecordingObserver()
    environ = with_servers(tmp_path, {**ENVIRON, "CREDENTIAL": KEY}, real=REAL)
    async with runtime_in(tmp_path, environ) as runtime:
        pause_of(await within(60, start(runtime, path, attendance=attended(observer))))
        told = output_of(await within(60, runtime.resume(RUN, attendance=attended(observer, "on"))))
    assert "chidori-env-TOKEN-" in told[0]["text"]
    assert "${CREDENTIAL}" in repr(told[-1])
    assert_clean(tmp_path, observer, told)
    assert leaks_in_store(tmp_path / "store", KEY) == []
    assert leaks_in(repr((observer.seen, told)), KEY) == []


async def test_a_number_that_is_a_value_stays_json(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        """export async function agent(input: any, chidori: any) {
            await chidori.env("PIN");
            return [await chidori.tool("real__add", { a: 12345670, b: 8 }),
              await chidori.tool("real__add", { a: 1234567800, b: 9 })]; }""",
    )
    environ = with_servers(tmp_path, {**LOCAL, "PIN": "12345678", "CREDENTIAL": "c"}, real=REAL)
    async with runtime_in(tmp_path, environ) as runtime:
        first, second = output_of(await within(60, start(runtime, path)))
    assert "chidori-env-PIN-" in repr(first)
    assert second == 1234567809


@pytest.mark.parametrize("secret", [KEY, PEM, 'quo"ted\\w\u00f6rd-s3cr3t'])
async def test_what_a_failing_mcp_server_writes_on_stderr_holds_no_credential(tmp_path: Path, secret: str) -> None:
    program = "import os, sys; key = os.environ['KEY']; sys.stderr.write(f'key: {key}\\n{key!r}\\n'); sys.exit(1)"
    path = write_agent(
        tmp_path, "export async function agent(input: any, chidori: any) { return chidori.tool('bad__x', {}); }"
    )
    observer = RecordingObserver()
    environ = with_servers(tmp_path, {**LOCAL, "KEY": secret}, bad=python(program, KEY="${KEY}"))
    async with runtime_in(tmp_path, environ) as runtime:
        error = failure_of(await within(60, start(runtime, path, attendance=attended(observer)))).error
    assert "it wrote on stderr" in error["message"]
    for line in secret.splitlines():
        assert leaks_in(repr((observer.seen, error)), line) == []
        assert leaks_in_store(tmp_path / "store", line) == []


@pytest.mark.parametrize("end", [b"\n", b" "])
def test_what_is_kept_of_stderr_begins_with_a_whole_line_or_word(end: bytes) -> None:
    tail = StderrTail()
    tail.data_received(b"x" * 8000 + KEY.encode() + end + b"y" * 8170)
    assert not any(KEY[-size:] in line for line in tail.lines for size in range(3, len(KEY)))
    assert tail.lines[-1].endswith("y" * 8170)


def test_one_long_word_on_stderr_is_kept_in_part() -> None:
    tail = StderrTail()
    tail.data_received(b"x" * 9000)
    assert tail.lines == ["x" * 8192]


async def test_a_password_in_the_url_of_an_mcp_server_is_in_no_error(tmp_path: Path) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"error": {"code": -32000, "message": str(request.headers)}}, status=401)

    path = write_agent(
        tmp_path, "export async function agent(input: any, chidori: any) { return chidori.tool('far__x', {}); }"
    )
    observer = RecordingObserver()
    async with serve(handle) as server:
        for number, port in enumerate((server.port, free_port())):
            url = f"http://me:p%40ssw0rd-{number}@127.0.0.1:{port}/mcp"
            async with runtime_in(tmp_path, with_servers(tmp_path, LOCAL, far={"url": url})) as runtime:
                run_id = f"run-{number}"
                result = await within(60, start(runtime, path, run_id=run_id, attendance=attended(observer)))
                error = failure_of(result).error
                assert "mcp: server `far` could not be reached" in error["message"]
                assert leaks_in(repr((observer.seen, error)), f"p@ssw0rd-{number}") == []
    assert leaks_in_store(tmp_path / "store", "p@ssw0rd-0", "p@ssw0rd-1") == []


@pytest.mark.parametrize("name", ["LITELLM_API_KEY", "COMETAPI_KEY", "AWS_BEARER_TOKEN_BEDROCK", "OCI_KEY"])
async def test_a_provider_that_repeats_a_key_puts_it_into_no_error(tmp_path: Path, name: str) -> None:
    path = write_agent(tmp_path, agent("return chidori.prompt(`say ${token} ${words}`);"))
    observer = RecordingObserver()
    async with OpenAIServer() as server:
        # The end of the second message is cut off within the key.
        for number, message in enumerate((f"Incorrect API key provided: {KEY}.", "x" * 495 + KEY)):
            server.script.append(Scripted(status=401, message=message))
            environ = {**ENVIRON, "LITELLM_API_URL": server.url, "LITELLM_API_KEY": "another-key", name: KEY}
            del environ["CHIDORI_TEST_LLM_RESPONSE"]
            async with runtime_in(tmp_path, environ) as runtime:
                result = await within(60, start(runtime, path, run_id=f"run-{number}", attendance=attended(observer)))
            assert "answered 401" in failure_of(result).error["message"]
            assert not any(KEY[:size] in repr((observer.seen, result)) for size in range(4, len(KEY)))
        sent = orjson.dumps([request["body"] for request in server.requests])
    assert leaks_in(sent, *SECRETS) == []
    assert b"chidori-env-TOKEN-" in sent
    assert leaks_in_store(tmp_path / "store", KEY, *SECRETS) == []
    assert leaks_in(repr(observer.seen), *SECRETS) == []


async def test_a_password_in_the_url_of_the_models_is_in_no_error(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path, "export async function agent(input: any, chidori: any) { return chidori.prompt('hello'); }"
    )
    observer = RecordingObserver()
    url = f"http://me:p%40ssw0rd-1@127.0.0.1:{free_port()}/v1"
    environ = {"LITELLM_API_URL": url, "LITELLM_API_KEY": KEY}
    async with runtime_in(tmp_path, environ) as runtime:
        result = await within(60, start(runtime, path, attendance=attended(observer)))
    assert "could not be asked" in failure_of(result).error["message"]
    assert leaks_in(repr((observer.seen, result)), "me:p", "p%40ssw0rd-1") == []
    assert leaks_in_store(tmp_path / "store", "p%40ssw0rd-1") == []


def test_a_password_in_the_url_of_the_models_is_taken_out_of_what_a_library_says() -> None:
    secrets = provider_secrets({"LITELLM_API_URL": "http://me:p%40ssw0rd@127.0.0.1/v1"})
    error = provider_error(Exception("no route to http://me:p%40ssw0rd@x (p@ssw0rd)"), provider="p", secrets=secrets)
    assert str(error) == "p could not be asked: no route to http://me:[redacted]@x ([redacted])"


def test_a_key_is_taken_out_before_an_error_is_cut() -> None:
    error = provider_error(Exception("x" * 490 + f" {KEY}"), provider="p", secrets=[KEY])
    assert KEY[:4] not in str(error)


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "LITELLM_API_KEY", "CHIDORI_API_KEY"])
async def test_credentials_of_the_runtime_need_a_rule(tmp_path: Path, name: str) -> None:
    path = write_agent(
        tmp_path, f"export async function agent(input: any, chidori: any) {{ return chidori.env('{name}'); }}"
    )
    observer = RecordingObserver()
    async with runtime_in(tmp_path, {**LOCAL, name: KEY}) as runtime:
        error = failure_of(await start(runtime, path, attendance=attended(observer))).error
        assert f"a rule with target env:{name} can allow it" in error["message"]
        assert leaks_in(repr((observer.seen, error, records_of(runtime.store))), KEY) == []
    assert leaks_in_store(tmp_path / "store", KEY) == []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
