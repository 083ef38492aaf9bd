"""What an MCP tool gave back, as JSON text."""

import json
from typing import Any

from mcp_types import CallToolResult, TextContent, Tool

from .foreign_json import recordable_json
from .function import HostError


def result_json(tool: Tool, result: CallToolResult) -> bytes:
    """The structured content when there is some, else the texts as one string, else ``{"content": [blocks]}``.

    Raises:
        HostError: the tool reports an error (``ToolError``, with its text), or its result cannot be recorded.
    """
    if result.is_error:
        raise HostError(_text(result) or "the tool failed and did not say why", name="ToolError")
    try:
        return recordable_json(json.dumps(_value(tool, result), separators=(",", ":")))
    except (ValueError, RecursionError) as error:
        raise HostError(f"mcp: the result of `{tool.name}` cannot be recorded: {error}") from None


def _value(tool: Tool, result: CallToolResult) -> Any:
    structured = result.structured_content
    if structured is not None:
        return structured["result"] if isinstance(structured, dict) and _is_wrapped(tool) else structured
    if all(isinstance(block, TextContent) for block in result.content):
        return _text(result)
    return {"content": [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]}


def _text(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def _is_wrapped(tool: Tool) -> bool:
    """Whether the Python libraries wrapped what the function returned, which was not an object."""
    schema = tool.output_schema or {}
    return (
        schema.get("type") == "object"
        and schema.get("required") == ["result"]
        and schema.get("properties", {}).keys() == {"result"}
        and (schema.get("x-fastmcp-wrap-result") is True or schema.get("title") == f"{tool.name}Output")
    )
