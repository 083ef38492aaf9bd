"""What the environment may say about dry runs and MCP, and what is told when it cannot be read."""

from pathlib import Path

import pytest

from chidori_actors.errors import UsageError
from chidori_actors.settings import FixedToolCall, Settings, load_settings


def test_tool_calls_of_dry_runs_are_one_or_a_list() -> None:
    def calls(text: str) -> tuple[FixedToolCall, ...]:
        variables = {"CHIDORI_TEST_LLM_RESPONSE": "", "CHIDORI_TEST_LLM_TOOL_CALL": text}
        return load_settings(variables).test_llm_tool_call

    assert calls("") == ()
    assert calls('{"name": "a"}') == (FixedToolCall("a", {}),)
    assert calls('[{"name": "a", "input": {"n": 1}}, {"name": "b"}]') == (
        FixedToolCall("a", {"n": 1}),
        FixedToolCall("b", {}),
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{name: 1}", "is not JSON"),
        ('"web_search"', 'has a tool call without "name"'),
        ('{"input": {}}', 'has a tool call without "name"'),
        ('[{"name": "a", "input": [1]}]', "has an \"input\" for 'a' that is not an object"),
        ('{"name": "a", "arguments": {}}', "has a field 'arguments'"),
    ],
)
def test_tool_calls_that_cannot_be_read_stop_the_start(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({"CHIDORI_TEST_LLM_RESPONSE": "x", "CHIDORI_TEST_LLM_TOOL_CALL": text})
    assert str(caught.value).startswith(f"CHIDORI_TEST_LLM_TOOL_CALL {fault}")
    assert '{"name": "web_search"' in str(caught.value.hint)


def test_tool_calls_without_the_answer_that_follows_them_are_refused() -> None:
    with pytest.raises(UsageError, match="without CHIDORI_TEST_LLM_RESPONSE"):
        load_settings({"CHIDORI_TEST_LLM_TOOL_CALL": '{"name": "a"}'})


def test_the_mcp_configuration_is_a_path() -> None:
    assert load_settings({"CHIDORI_MCP_CONFIG": "mcp.json"}).mcp_config == Path("mcp.json")
    assert load_settings({"CHIDORI_MCP_CONFIG": ""}).mcp_config is None


def test_the_servers_settings_have_defaults() -> None:
    settings = load_settings(dict.fromkeys(("CHIDORI_API_KEY", "CHIDORI_MAX_BODY_BYTES", "CHIDORI_WEBHOOKS"), ""))
    assert (settings.api_key, settings.cors_origins, settings.webhooks) == (None, (), None)
    assert (settings.max_concurrent_sessions, settings.acquire_timeout_ms) == (None, 30_000)
    assert settings.max_body_bytes == 10_000_000
    assert settings == Settings(environ=settings.environ)


def test_the_servers_settings_are_read() -> None:
    settings = load_settings(
        {
            "CHIDORI_API_KEY": "secret",
            "CHIDORI_CORS_ORIGINS": " https://a.example.com , http://localhost:3000,",
            "CHIDORI_MAX_CONCURRENT_SESSIONS": "4",
            "CHIDORI_ACQUIRE_TIMEOUT_MS": "0",
            "CHIDORI_MAX_BODY_BYTES": "100",
            "CHIDORI_WEBHOOKS": "hooks.yaml",
        }
    )
    assert (settings.api_key, settings.webhooks) == ("secret", Path("hooks.yaml"))
    assert settings.cors_origins == ("https://a.example.com", "http://localhost:3000")
    assert (settings.max_concurrent_sessions, settings.acquire_timeout_ms, settings.max_body_bytes) == (4, 0, 100)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHIDORI_MAX_CONCURRENT_SESSIONS", "0"),
        ("CHIDORI_MAX_CONCURRENT_SESSIONS", "many"),
        ("CHIDORI_ACQUIRE_TIMEOUT_MS", "-1"),
        ("CHIDORI_ACQUIRE_TIMEOUT_MS", "1.5"),
        ("CHIDORI_MAX_BODY_BYTES", "10MB"),
        ("CHIDORI_MAX_BODY_BYTES", "9" * 5000),
        ("CHIDORI_CORS_ORIGINS", "app.example.com"),
        ("CHIDORI_CORS_ORIGINS", "https://app.example.com/"),
        ("CHIDORI_CORS_ORIGINS", "*, https://a b"),
        ("CHIDORI_API_KEY", "two words"),
        ("CHIDORI_API_KEY", "schlüssel"),
    ],
)
def test_a_servers_setting_that_cannot_be_read_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name) as caught:
        load_settings({name: value})
    assert caught.value.hint
    assert name != "CHIDORI_API_KEY" or value not in str(caught.value)


def test_the_cap_of_http_bodies_is_a_number_of_bytes_from_one_on() -> None:
    assert load_settings({"CHIDORI_HTTP_MAX_BODY_BYTES": ""}).http_max_body_bytes == 16 << 20
    assert load_settings({"CHIDORI_HTTP_MAX_BODY_BYTES": "1"}).http_max_body_bytes == 1
    for value in ("0", "-1", "16MB", "1e6", "1.5"):
        with pytest.raises(UsageError, match="CHIDORI_HTTP_MAX_BODY_BYTES is") as caught:
            load_settings({"CHIDORI_HTTP_MAX_BODY_BYTES": value})
        assert caught.value.hint == "use a whole number from 1 on"
