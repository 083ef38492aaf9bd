"""``exec_js``: untrusted JavaScript in a fresh VM that has no host."""

from .function import HostCall, HostFunction, HostResult, HostServices, JsonObject
from .sandboxes import execute_with_input, record_args

_MEMORY_MB = 64


def _in_force(args: JsonObject) -> JsonObject:
    return {"memory_mb": _MEMORY_MB, **args}


async def _run(call: HostCall, services: HostServices) -> HostResult:
    return await execute_with_input("execJs", "js", call, services, _in_force(call.args))


FUNCTION = HostFunction(
    name="exec_js",
    run=_run,
    record_args=record_args,
    policy_target=lambda args: "exec:js",
    in_force=_in_force,
)
