"""``memory``: the project's key-value memory, shared by all its runs."""

from typing import Any

import orjson

from .. import exact_json
from .function import HostCall, HostError, HostFunction, HostResult, HostServices, JsonObject, MemoryReader

_LONGEST_NAME = 4096


def _record_args(args: JsonObject, default_model: str | None) -> JsonObject:
    namespace = args.get("namespace")
    recorded: JsonObject = {
        "action": args.get("action"),
        "key": args.get("key"),
        "namespace": "default" if namespace is None else namespace,
        "prefix": args.get("prefix"),
        "value": args.get("value"),
    }
    return recorded | {"values": True} if args.get("values") is True else recorded


def _text(args: JsonObject, field: str) -> str:
    value = args.get(field)
    if not isinstance(value, str) or not value:
        raise HostError(f"memory: {args.get('action')} needs a {field}, a string that is not empty")
    if len(value.encode()) > _LONGEST_NAME:
        raise HostError(f"memory: the {field} is longer than {_LONGEST_NAME} bytes")
    return value


def _prefix(args: JsonObject) -> str:
    return "" if args.get("prefix") in (None, "") else _text(args, "prefix")


def _json(value: Any) -> bytes:
    try:
        return exact_json.dumps(value)
    except orjson.JSONEncodeError as error:
        raise HostError(f"memory: the value cannot be stored: {error}") from error


def _set(args: JsonObject, namespace: str, memory: MemoryReader) -> HostResult:
    return HostResult(b"null", writes=(memory.put(namespace, _text(args, "key"), _json(args.get("value"))),))


def _get(args: JsonObject, namespace: str, memory: MemoryReader) -> HostResult:
    return HostResult(memory.get(namespace, _text(args, "key")) or b"null")


def _delete(args: JsonObject, namespace: str, memory: MemoryReader) -> HostResult:
    key = _text(args, "key")
    if memory.get(namespace, key) is None:
        return HostResult(b"false")
    return HostResult(b"true", writes=(memory.delete(namespace, key),))


def _list(args: JsonObject, namespace: str, memory: MemoryReader) -> HostResult:
    found = memory.scan(namespace, _prefix(args))
    if args.get("values") is True:
        return HostResult(orjson.dumps([{"key": key, "value": orjson.Fragment(value)} for key, value in found]))
    return HostResult(orjson.dumps([key for key, _ in found]))


def _clear(args: JsonObject, namespace: str, memory: MemoryReader) -> HostResult:
    writes = tuple(memory.delete(namespace, key) for key, _ in memory.scan(namespace, _prefix(args)))
    return HostResult(orjson.dumps(len(writes)), writes=writes)


_ACTIONS = {"set": _set, "get": _get, "delete": _delete, "list": _list, "clear": _clear}


async def _run(call: HostCall, services: HostServices) -> HostResult:
    name = call.args.get("action")
    action = _ACTIONS.get(name) if isinstance(name, str) else None
    if action is None:
        raise HostError(f"memory: unknown action {name!r}; use one of: {', '.join(_ACTIONS)}")
    return action(call.args, _text(call.args, "namespace"), services.memory)


FUNCTION = HostFunction(
    name="memory",
    run=_run,
    record_args=_record_args,
    policy_target=lambda args: "memory",
    finishes=True,
)
