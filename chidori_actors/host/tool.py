"""``tool``: a tool file as an actor of its own, or a tool of an MCP server, which is called from here."""

from .function import HostCall, HostFunction, HostResult, HostServices, JsonObject


def _is_local(args: JsonObject, services: HostServices) -> bool:
    return not services.tools.is_remote(args["name"])


def _is_repeatable(args: JsonObject) -> bool:
    """Nobody knows what a tool of a server does; in a tool file, each call is recorded by itself."""
    return "__" not in args["name"]


async def call_remote(call: HostCall, services: HostServices) -> HostResult:
    """Call a tool of an MCP server.

    Raises:
        HostError: the arguments do not fit the tool, or it failed.
    """
    name, arguments = call.args["name"], call.args["kwargs"]
    await services.tools.validate(name, arguments)
    return HostResult(await services.tools.call(name, arguments))


FUNCTION = HostFunction(
    name="tool",
    run=call_remote,
    by_actors=_is_local,
    idempotent=_is_repeatable,
    policy_target=lambda args: f"tool:{args['name']}",
)
