"""What the store says of a run once it came to rest."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ..host.function import Question
from ..journal.runs import RunMeta
from .context import RunContext
from .outcome import Cancelled, Completed, Failed, Paused, Rest


def at_rest(meta: RunMeta, rest: Rest, context: RunContext) -> RunMeta:
    """The run's description once it came to ``rest``."""
    common: dict[str, Any] = {
        "call_count": context.numbers.seq,
        "calls": context.events.calls,
        "updated_at_ms": context.now_ms(),
        "pending": (),
    }
    if isinstance(rest, Completed):
        return replace(meta, status="completed", output=rest.output, **common)
    if isinstance(rest, Failed):
        return replace(meta, status="failed", error=rest.error, failed_ordinal=rest.call, **common)
    if isinstance(rest, Cancelled):
        error = None if rest.reason is None else {"message": rest.reason}
        return replace(meta, status="cancelled", error=error, **common)
    if isinstance(rest, Paused):
        common["pending"] = tuple(_question(question) for question in rest.questions)
        return replace(meta, status=rest.status, **common)
    return replace(meta, **common)


def _question(question: Question) -> Mapping[str, Any]:
    fields = asdict(question)
    return fields | {"choices": None if question.choices is None else list(question.choices)}
