"""How reports say what a call waits for and how it failed."""

from ..clipping import CLIP, clip
from ..journal.lanes import CANCELLED

_WAITS_FOR = {"input": "an answer", "approval": "approval", "in_doubt": "a decision"}


def waits_for(kind: str) -> str:
    """What a call waits for that asks a question of that kind."""
    return f"waits for {_WAITS_FOR.get(kind, 'an answer')}"


def failure_text(error: str, length: int = CLIP) -> str:
    """A record's ``error`` on one line; a message is cut to ``length`` characters."""
    return error if error.startswith(CANCELLED) else f"error: {clip(error, length)}"
