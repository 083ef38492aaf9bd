"""``parallel``: branches of the VM that makes the call, each an actor of its own."""

from .function import HostFunction

FUNCTION = HostFunction(name="parallel", run=None, forks=lambda args: args["count"] > 0)
