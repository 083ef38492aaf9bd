"""A prompt as the model got it, and what it answered."""

from collections.abc import Iterable, Mapping
from typing import Any

from .. import exact_json
from ..host.function import HostError
from ..host.openai_chat import chat_messages
from ..host.providers import CompletionRequest, Message
from ..host.tool_turns import conversation
from ..journal.json_text import parse_json
from ..journal.lanes import Settled, Started
from ..languages.bundle import Tool
from ..totals import Totals

_OPTIONS = ("type", "max_tokens", "temperature", "format", "strict", "turn", "max_turns")


def prompt_view(call: Started, settled: Settled | None, tools: Iterable[Tool]) -> dict[str, Any] | None:
    """``{model, messages, tools, options, answer, tool_calls, stop_reason, input_tokens, output_tokens, cost_usd, cost,
    provider}``; None when its args are not those of a prompt. ``tools`` are those of the run's source; of others, which
    servers have, only the name is known. The cost is null while it is not known, ``cost`` says it in words.
    """
    args = parse_json(call.args)
    if not isinstance(args, Mapping) or not isinstance(args.get("text"), str):
        return None
    usage = {} if settled is None or settled.token_usage is None else settled.token_usage
    notes: Mapping[str, Any] = {} if settled is None else settled.notes
    return {
        "model": args.get("model"),
        "messages": chat_messages(_request(args)),
        "tools": _tools(args["tools"], tools) if isinstance(args.get("tools"), list) else None,
        "options": {name: args[name] for name in _OPTIONS if args.get(name) is not None},
        **_answer(args, settled, notes),
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        **_cost(call, settled),
        "provider": notes.get("provider"),
    }


def _request(args: Mapping[str, Any]) -> CompletionRequest:
    system = args.get("system")
    return CompletionRequest(
        model=str(args.get("model")),
        text=args["text"],
        system=system if isinstance(system, str) else None,
        messages=_history(args.get("messages") or ()),
    )


def _history(messages: Any) -> tuple[Message, ...]:
    try:
        return conversation(messages)
    except HostError:
        return ()  # nobody got them: the call failed for it


def _tools(names: Iterable[Any], known: Iterable[Tool]) -> list[dict[str, Any]]:
    definitions = {tool.name: exact_json.loads(tool.definition) for tool in known}
    return [definitions.get(name) or {"name": name} for name in names if isinstance(name, str)]


def _answer(args: Mapping[str, Any], settled: Settled | None, notes: Mapping[str, Any]) -> dict[str, Any]:
    stop_reason = notes.get("finish_reason")
    if settled is None or settled.value is None:
        return {"answer": None, "tool_calls": [], "stop_reason": stop_reason}
    value = parse_json(settled.value)
    if "tools" in args and isinstance(value, Mapping):
        calls, said = value.get("tool_calls"), value.get("content")
        return {
            "answer": said if isinstance(said, str) else None,
            "tool_calls": calls if isinstance(calls, list) else [],
            "stop_reason": value.get("stop_reason"),
        }
    answer = value if isinstance(value, str) else settled.value.decode("utf-8", "replace")
    return {"answer": answer, "tool_calls": [], "stop_reason": stop_reason}


def _cost(call: Started, settled: Settled | None) -> dict[str, Any]:
    if settled is None:
        return {"cost_usd": None, "cost": "not known yet"}
    totals = Totals()
    totals.add([call, settled])
    return {"cost_usd": None if totals.unpriced_models else totals.cost_usd, "cost": totals.cost_text()}
