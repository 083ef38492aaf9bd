"""``exec``: a function of an untrusted WebAssembly module."""

from dataclasses import replace

from .function import HostCall, HostError, HostFunction, HostResult, HostServices, JsonObject
from .sandboxes import DEFAULT_TIMEOUT_MS, execute, whole

_MEMORY_PAGES = 256
_MOST_PAGES = 65_536
_FUEL = 1_000_000_000
_MOST_FUEL = 2**53


def _record_args(args: JsonObject, default_model: str | None) -> JsonObject:
    pages = args.get("memory_pages")
    given = args.get("args")
    recorded: JsonObject = {
        "source": args.get("source"),
        "function": args.get("function"),
        "args": [] if given is None else given,
        "memory_pages": _MEMORY_PAGES if pages is None else pages,
    }
    for name in ("fuel", "timeout_ms"):
        if args.get(name) is not None:
            recorded[name] = args[name]
    return recorded


def _in_force(args: JsonObject) -> JsonObject:
    return {"fuel": _FUEL, "timeout_ms": DEFAULT_TIMEOUT_MS, **args}


async def _run(call: HostCall, services: HostServices) -> HostResult:
    args = _in_force(call.args)
    if not isinstance(args["function"], str):
        raise HostError("execWasm: the option function must be the name of an exported function")
    if not isinstance(args["args"], list):
        raise HostError("execWasm: args must be an array")
    options = {
        "function": args["function"],
        "args": args["args"],
        "memory_pages": whole("execWasm", "memoryPages", args["memory_pages"], _MOST_PAGES),
        "fuel": whole("execWasm", "fuel", args["fuel"], _MOST_FUEL),
    }
    return await execute("execWasm", "wasm", replace(call, args=args), services, b"null", options)


FUNCTION = HostFunction(
    name="exec",
    run=_run,
    record_args=_record_args,
    policy_target=lambda args: "exec:wasm",
    in_force=_in_force,
)
