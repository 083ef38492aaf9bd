"""What the environment may say about dry runs and MCP, and what is told when it cannot be read."""

from pathlib import Path

import pytest

from chidori_actors.errors import UsageError
from chidori_actors.settings import FixedToolCall, load_settings


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
