"""``checkpoint``: a labelled mark in the run's record."""

from .function import HostCall, HostError, HostFunction, HostResult, HostServices, JsonObject


def _record_args(args: JsonObject, default_model: str | None) -> JsonObject:
    return {"label": args.get("label"), "data": args.get("data")}


async def _run(call: HostCall, services: HostServices) -> HostResult:
    if not isinstance(call.args.get("label"), str):
        raise HostError("checkpoint: the label must be a string")
    return HostResult(b"null")


FUNCTION = HostFunction(name="checkpoint", run=_run, record_args=_record_args, finishes=True)
