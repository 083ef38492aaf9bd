"""``exec_js``: untrusted JavaScript in a fresh VM that has no host."""

from .. import exact_json
from .function import HostCall, HostFunction, HostResult, HostServices, JsonObject
from .sandboxes import execute, memory_mb, record_args

_MEMORY_MB = 64


def _in_force(args: JsonObject) -> JsonObject:
    return {"memory_mb": _MEMORY_MB, **args}


async def _run(call: HostCall, services: HostServices) -> HostResult:
    options = {"memory_mb": memory_mb("execJs", _in_force(call.args))}
    return await execute("execJs", "js", call, services, exact_json.dumps(call.args.get("input")), options)


FUNCTION = HostFunction(
    name="exec_js",
    run=_run,
    record_args=record_args,
    policy_target=lambda args: "exec:js",
    in_force=_in_force,
)
