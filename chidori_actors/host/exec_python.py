"""``exec_python``: untrusted Python, by an interpreter made for that or by CPython in WebAssembly."""

from ..sandbox.execution import Kind
from .function import HostCall, HostError, HostFunction, HostResult, HostServices, JsonObject
from .sandboxes import execute_with_input, record_args

_RUNTIME = "monty"
_KINDS: dict[str, Kind] = {"monty": "python", "cpython": "cpython"}
_MEMORY_MB: dict[Kind, int] = {"python": 64, "cpython": 1024}


def _kind(args: JsonObject) -> Kind:
    runtime = args.get("runtime", _RUNTIME)
    if not isinstance(runtime, str) or runtime not in _KINDS:
        raise HostError('execPython: runtime must be "monty" or "cpython"')
    return _KINDS[runtime]


def _in_force(args: JsonObject) -> JsonObject:
    runtime = args.get("runtime", _RUNTIME)
    return {"runtime": runtime, "memory_mb": _MEMORY_MB["cpython" if runtime == "cpython" else "python"], **args}


async def _run(call: HostCall, services: HostServices) -> HostResult:
    return await execute_with_input("execPython", _kind(call.args), call, services, _in_force(call.args))


FUNCTION = HostFunction(
    name="exec_python",
    run=_run,
    record_args=record_args,
    policy_target=lambda args: "exec:python",
    in_force=_in_force,
)
