"""``env``: an environment variable, as a placeholder unless a policy rule lets its value be revealed."""

import orjson

from ..journal.given_variables import given_write
from .function import HostCall, HostError, HostFunction, HostResult, HostServices, JsonObject


def _name(args: JsonObject) -> str:
    name = args.get("name")
    if not isinstance(name, str):
        raise HostError("env: the name must be a string")
    return name


def _record_args(args: JsonObject, default_model: str | None) -> JsonObject:
    recorded = {"name": args.get("name")}
    # Kept only when it is asked for: the policy and each later delivery must know.
    return recorded | {"reveal": True} if args.get("reveal") is True else recorded


async def _run(call: HostCall, services: HostServices) -> HostResult:
    name = _name(call.args)
    services.secrets.value(name)
    # The process that goes on with the run must know which values answers and errors may not hold.
    return HostResult(b"null", writes=(given_write(call.run_id, name),))


def _deliver(args: JsonObject, services: HostServices) -> bytes:
    name = _name(args)
    secrets = services.secrets
    secrets.know(name)
    return orjson.dumps(secrets.reveal(name) if args.get("reveal") is True else secrets.placeholder(name))


FUNCTION = HostFunction(
    name="env",
    run=_run,
    record_args=_record_args,
    policy_target=lambda args: f"env:{args.get('name')}",
    unrecorded=_deliver,
)
