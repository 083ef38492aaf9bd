"""How a run that is at rest came to be so, from the store alone."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from chidori_actors.host.function import Question
from chidori_actors.journal.runs import RunMeta
from chidori_actors.runtime import RunResult
from chidori_actors.session.outcome import Cancelled, Completed, Failed, Paused, RecordEnded, Rest

_FIELDS = tuple(field.name for field in fields(Question))


def stored_result(meta: RunMeta) -> RunResult:
    """The result of the run, as it was when it came to rest; ``RecordEnded`` for one that did not."""
    return RunResult(meta, _rest(meta))


def _rest(meta: RunMeta) -> Rest:
    if meta.status == "completed" and meta.output is not None:
        return Completed(meta.output)
    if meta.status == "failed" and meta.error is not None:
        return Failed(dict(meta.error), meta.failed_ordinal)
    if meta.status == "cancelled":
        return Cancelled(None if meta.error is None else str(meta.error.get("message")))
    if meta.pending:
        return Paused(tuple(_question(question) for question in meta.pending))
    return RecordEnded()


def _question(stored: Mapping[str, Any]) -> Question:
    choices = stored["choices"]
    known = {name: stored[name] for name in _FIELDS if name in stored}
    return Question(**known | {"choices": None if choices is None else tuple(choices)})
