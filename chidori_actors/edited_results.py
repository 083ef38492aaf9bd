"""What a call can be made to answer in a branch from history: what the agent's side of it can take."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import orjson

from . import exact_json
from .errors import UsageError
from .journal.json_text import parse_json
from .journal.lanes import Started

_TURN = '{"content": "…", "blocks": [], "tool_calls": []}'
_SETTLED = '{"status": "fulfilled", "value": …} or {"status": "rejected", "reason": {"message": "…"}}'

_Fault = Callable[[Mapping[str, Any], Any], str | None]
"""What a result must be instead, given the call's args and the result; None when it is well."""


ResultKind = Literal["text", "json", "choice", "array", "none"]

_KINDS: Mapping[str, ResultKind] = {"parallel": "array", "env": "none"}


def check_result(call: Started, result: bytes | None) -> None:
    """See that ``result`` (JSON text; None stands for an error) can be what ``call`` gives the agent.

    Raises:
        UsageError: it is not JSON, or not of the kind that the function gives.
    """
    if result is None:
        return
    try:
        value = parse_json(result)
    except ValueError:
        raise not_json(result.decode("utf-8", "replace")) from None
    look = _FAULTS.get(call.function)
    fault = None if look is None else look(exact_json.loads(call.args), value)
    if fault is not None:
        raise UsageError(f"call #{call.seq} ({call.function}) cannot have that result: {fault}")


def result_kind(call: Started) -> ResultKind:
    """What a result of the call is for the person who writes one; ``none``: there can be no other."""
    args = exact_json.loads(call.args)
    if call.function == "input":
        return "choice" if args.get("choices") else "text"
    if call.function == "prompt":
        return "json" if "tools" in args or args.get("format") == "json" else "text"
    return _KINDS.get(call.function, "json")


def not_json(text: str) -> UsageError:
    """The error for a result that is not JSON; most likely the quotes of a string are missing."""
    quoted = orjson.dumps(text.encode("utf-8", "replace").decode()).decode()
    return UsageError(f"the result is not JSON: {text}", hint=f"a text stands in double quotes: '{quoted}'")


def _prompt(args: Mapping[str, Any], value: Any) -> str | None:
    if "tools" in args:
        is_turn = isinstance(value, dict) and isinstance(value.get("content"), str)
        if is_turn and isinstance(value.get("tool_calls"), list):
            return None
        return f"it is a turn of a tool loop, whose result is like {_TURN}"
    if args.get("format") == "json" or isinstance(value, str):
        return None
    return "a prompt answers with a text, in double quotes"


def _input(args: Mapping[str, Any], value: Any) -> str | None:
    choices = args.get("choices")
    if not isinstance(value, str):
        return "a person's answer is a text, in double quotes"
    return f"the choices are {', '.join(choices)}" if choices and value not in choices else None


def _parallel(args: Mapping[str, Any], value: Any) -> str | None:
    if not isinstance(value, list) or len(value) != args["count"]:
        return f"it must be an array with an item for each of the {args['count']} branches"
    if args.get("settle") and not all(_is_settlement(item) for item in value):
        return f"with `settle` each item is {_SETTLED}"
    return None


def _is_settlement(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    reason = item.get("reason")
    rejected = item.get("status") == "rejected" and isinstance(reason, dict) and isinstance(reason.get("message"), str)
    return rejected or item.get("status") == "fulfilled"


def _env(args: Mapping[str, Any], value: Any) -> str | None:
    return f"no record holds the value of a variable; set {args['name']} for the branch instead"


_FAULTS: Mapping[str, _Fault] = {"prompt": _prompt, "input": _input, "parallel": _parallel, "env": _env}
