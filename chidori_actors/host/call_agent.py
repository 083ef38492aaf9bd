"""``call_agent``: another agent of the project, as an actor of its own."""

from .function import HostFunction

FUNCTION = HostFunction(name="call_agent", run=None, policy_target=lambda args: "call_agent")
