"""``chidori serve`` where it cannot run: said as ``run`` says it, before anything listens or is written."""

import errno
import os
import socket
from pathlib import Path

import orjson
import pytest

from tests.support.server import server_process

from .console import assert_refused, chidori, environment

SOUND = "export async function agent(input) { return input; }\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sound.ts").write_text(SOUND)
    (tmp_path / "syntax.ts").write_text("export async function agent() {\n  return [1, 2;\n}\n")
    (tmp_path / "tool.ts").write_text("export const tool = { name: 'x' };\nexport async function run() {}\n")
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "texts"),
    [
        (["nope.ts"], 2, ["Error: there is no file nope.ts"]),
        (["."], 2, ["Error: . is a directory"]),
        (["config.json"], 2, ["Error: config.json is no agent"]),
        (["tool.ts"], 1, ["Error: tool.ts", "exports no function agent"]),
        (["syntax.ts"], 1, ["Error: syntax.ts:2:", "\n  return [1, 2;\n"]),
        (["sound.ts", "--tools", "nodir"], 2, ["nodir"]),
        (["sound.ts", "--trusted", "--untrusted"], 2, ["--trusted and --untrusted exclude each other"]),
    ],
)
def test_a_user_s_mistake_is_told_as_one(folder: Path, arguments: list[str], code: int, texts: list[str]) -> None:
    result = chidori(folder, "serve", *arguments, "--port", "0")
    assert_refused(result, code, *texts)
    assert "internal error" not in result.stderr
    assert not (folder / ".chidori").exists()


@pytest.mark.parametrize("variable", ["CHIDORI_MCP_CONFIG", "CHIDORI_WEBHOOKS", "CHIDORI_POLICY_FILE"])
def test_configuration_that_cannot_be_read_keeps_the_server_from_starting(folder: Path, variable: str) -> None:
    result = chidori(folder, "serve", "sound.ts", "--port", "0", env=environment(folder, **{variable: "nope.json"}))
    assert_refused(result, 2, "nope.json", variable)
    assert not (folder / ".chidori").exists()


def test_a_port_that_is_taken_is_named_once(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = chidori(folder, "serve", "sound.ts", "--port", str(port))
    assert_refused(result, 2, f"Error: 127.0.0.1:{port}: {os.strerror(errno.EADDRINUSE)}\n", "another --port")


@pytest.mark.parametrize("host", ["nohost.invalid", "192.0.2.1"])
def test_a_host_that_cannot_be_had_is_not_blamed_on_the_port(folder: Path, host: str) -> None:
    env = environment(folder, CHIDORI_API_KEY="key")
    result = chidori(folder, "serve", "sound.ts", "--port", "0", "--host", host, env=env)
    assert_refused(result, 2, f"--host {host}: ", "an address of this machine")
    assert "--port" not in result.stderr


def test_what_becomes_of_a_run_is_said_once(folder: Path) -> None:
    assert_refused(chidori(folder, "run", "sound.ts", "--untrusted", "--trusted"), 2, "exclude each other")


async def test_the_whole_log_is_json_when_json_is_asked_for(folder: Path) -> None:
    async with server_process(folder / "sound.ts", {}, "--log-format", "json") as server:
        await server.stop()
        (first, *_) = lines = [orjson.loads(line) for line in server.log]
    assert all(isinstance(line, dict) for line in lines)
    assert (first["event"], first["url"]) == ("serving", server.url)
    assert first["agent"].endswith("sound.ts")
