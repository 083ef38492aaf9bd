"""Configuration that somebody damaged: taken, or refused as misuse; never a traceback."""

import contextlib
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from chidori_actors.cli.inputs import parse_inputs
from chidori_actors.errors import UsageError
from chidori_actors.front_door.webhook_config import load_webhooks
from chidori_actors.host.mcp_config import load_mcp_config
from chidori_actors.journal.json_text import parse_json
from chidori_actors.settings import Settings, load_settings

from .mangling import JUNK, examples, fuzz, mangled, mangled_bytes

ENVIRON = {
    "CHIDORI_DB_PATH": "store",
    "CHIDORI_DURABILITY": "relaxed",
    "CHIDORI_TS_IMPORTS": "project",
    "CHIDORI_TS_DATE": "fixed",
    "CHIDORI_TS_RANDOM": "seeded",
    "CHIDORI_SNAPSHOT_MAPS_SETS": "reject",
    "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1, example.com",
    "CHIDORI_API_KEY": "secret-key",
    "CHIDORI_CORS_ORIGINS": "https://app.example.com,http://localhost:3000",
    "CHIDORI_MAX_CONCURRENT_SESSIONS": "8",
    "CHIDORI_ACQUIRE_TIMEOUT_MS": "500",
    "CHIDORI_MAX_BODY_BYTES": "1000",
    "CHIDORI_TEST_LLM_RESPONSE": "fine",
    "CHIDORI_TEST_LLM_TOOL_CALL": '[{"name": "a", "input": {"n": [1, {"x": null}]}}]',
    "CHIDORI_POLICY": '{"default": "always_allow"}',
    "CHIDORI_WEBHOOKS": "hooks.json",
}
HOOKS: tuple[Any, ...] = (
    {
        "/github": {"kind": "github", "secret": "${SECRET}"},
        "/open/*": {"kind": "open"},
        "/ci": {"kind": "bearer", "secret": "a${SECRET}b"},
    },
)
HOOKS_YAML = b"""# who may send events
/github: {kind: github, secret: "${SECRET}"}
/slack: &slack
  kind: slack
  secret: |
    text
/other: *slack
/open/*:
  kind: open
"""
SERVERS: tuple[Any, ...] = (
    {
        "mcpServers": {
            "files": {"command": "server", "args": ["--root", "${SECRET}"], "env": {"KEY": "${SECRET}"}, "cwd": "/srv"},
            "web": {"url": "https://example.com/mcp?k=${SECRET}", "headers": {"Authorization": "Bearer ${SECRET}"}},
        }
    },
)
INPUTS = (b"key=value", b'{"a": {"b": [1, 2.5, null]}}', b"key=@text.md", b"@object.json", b'["a"]', b"a=@object.json")


def _as_variable(data: bytes) -> str:
    """How the process's environment and arguments give bytes; they cannot have a NUL."""
    return data.replace(b"\0", b"").decode("utf-8", "surrogateescape")


@examples
def test_settings_are_read_or_refused(examples: int) -> None:
    def check(given: dict[str, bytes]) -> None:
        with contextlib.suppress(UsageError):
            made = load_settings(ENVIRON | {name: _as_variable(value) for name, value in given.items()})
            assert made.max_body_bytes >= 1
            assert made.durability in ("strict", "relaxed")
            assert made.runtime_policy.random in ("disabled", "seeded")

    values = mangled_bytes([value.encode() for value in ENVIRON.values()]) | st.sampled_from(JUNK).map(_junk_bytes)
    fuzz(examples, st.dictionaries(st.sampled_from(sorted(ENVIRON)), values, min_size=1, max_size=4), check)


@examples
def test_a_webhooks_file_is_read_or_refused(examples: int, tmp_path: Path) -> None:
    given = st.tuples(st.just("hooks.json"), mangled(HOOKS)) | st.tuples(
        st.just("hooks.yaml"), mangled_bytes([HOOKS_YAML]) | mangled(HOOKS)
    )

    def check(file: tuple[str, bytes]) -> None:
        path = tmp_path / file[0]
        path.write_bytes(file[1])
        with contextlib.suppress(UsageError):
            for entry in load_webhooks(Settings(webhooks=path, environ={"SECRET": "s"})).entries.values():
                # Nobody's secret is ever empty, and nobody is let in without one by accident.
                assert (entry.kind == "open") == (entry.secret == "")

    fuzz(examples, given, check)


@examples
def test_an_mcp_file_is_read_or_refused(examples: int, tmp_path: Path) -> None:
    def check(data: bytes) -> None:
        path = tmp_path / "mcp.json"
        path.write_bytes(data)
        with contextlib.suppress(UsageError):
            for name, server in load_mcp_config(path, {"SECRET": "s"}).servers.items():
                assert server.name == name

    fuzz(examples, mangled(SERVERS), check)


@examples
def test_an_input_is_an_object_or_refused(examples: int, tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        fuzz(
            examples,
            st.tuples(mangled_bytes(INPUTS) | mangled(({"a": {"b": [1, "x"]}},)), mangled(({"a": 1},))),
            check_input,
        )


def check_input(given: tuple[bytes, bytes]) -> None:
    option, file = given
    Path("text.md").write_bytes(file)
    Path("object.json").write_bytes(file)
    with contextlib.suppress(UsageError):
        assert isinstance(parse_json(parse_inputs([_as_variable(option), "then=this"])), dict)


def _junk_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
