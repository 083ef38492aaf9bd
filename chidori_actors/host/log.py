"""``log``: a line in the run's record."""

from .function import HostCall, HostError, HostFunction, HostResult, HostServices, JsonObject


def _record_args(args: JsonObject, default_model: str | None) -> JsonObject:
    recorded = {"message": args.get("message")}
    return recorded if args.get("fields") is None else recorded | {"fields": args["fields"]}


async def _run(call: HostCall, services: HostServices) -> HostResult:
    if not isinstance(call.args.get("message"), str):
        raise HostError("log: the message must be a string")
    return HostResult(b"null")


FUNCTION = HostFunction(name="log", run=_run, record_args=_record_args, finishes=True)
