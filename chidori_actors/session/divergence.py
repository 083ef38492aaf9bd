"""What a replay says when the agent does something else than the record."""

from collections.abc import Mapping
from typing import Any

from .. import exact_json
from ..canonical import canonical, first_difference
from ..errors import ReplayDivergence
from ..journal.lanes import Started

_LONGEST = 200


def check_same_call(recorded: Started, function: str, args: dict[str, Any], place: str) -> None:
    """Compare a call with the recorded one, ``request_digest`` aside.

    Raises:
        ReplayDivergence: another function or other args; the message has both and the agent's own ``place``.
    """
    known = exact_json.loads(recorded.args)
    for side in (known, args):
        side.pop("request_digest", None)
    sides = {"recorded": _call(recorded.function, known), "attempted": _call(function, args)}
    if recorded.function != function:
        raise ReplayDivergence(
            f"Replay divergence at seq {recorded.seq}: checkpoint has `{recorded.function}` but agent called "
            f"`{function}`{_at(place)}",
            hint=_HINT,
            seq=recorded.seq,
            place=place,
            **sides,
        )
    if (found := first_difference(known, args)) is not None:
        path, before, now = found
        raise ReplayDivergence(
            f"Replay divergence at seq {recorded.seq}: checkpoint has `{function}` with `{path}` = {_short(before)} "
            f"but agent called `{function}` with `{path}` = {_short(now)}{_at(place)}",
            hint=_HINT,
            seq=recorded.seq,
            place=place,
            difference={"path": path, "recorded": before, "attempted": now},
            **sides,
        )


def unrecorded_call(seq: int, function: str, args: Mapping[str, Any], place: str) -> ReplayDivergence:
    """The agent made a call although its record ended without one."""
    return ReplayDivergence(
        f"Replay divergence at seq {seq}: checkpoint has no more calls but agent called `{function}`{_at(place)}",
        hint=_HINT,
        seq=seq,
        attempted=_call(function, args),
        place=place,
    )


def missing_call(recorded: Started) -> ReplayDivergence:
    """The agent did not make a recorded call by the time its answer was due."""
    args = exact_json.loads(recorded.args)
    return ReplayDivergence(
        f"Replay divergence at seq {recorded.seq}: checkpoint has `{recorded.function}` "
        f"{_short(args)} but agent called nothing there",
        hint=_HINT,
        seq=recorded.seq,
        recorded=_call(recorded.function, args),
    )


def _call(function: str, args: Mapping[str, Any]) -> dict[str, Any]:
    return {"function": function, "args": dict(args)}


_HINT = (
    "the agent must make the same calls when it is given the same answers; if its source was changed on purpose, "
    "start a new run, or go on with the recorded source (`resume --recorded-source`)"
)


def _at(place: str) -> str:
    return f" ({place})" if place else ""


def _short(value: Any) -> str:
    text = canonical(value).decode()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
