"""Whether a replay came to what the run had come to."""

from .journal.runs import RunMeta
from .session.outcome import Completed, Failed, RecordEnded, Rest


def replay_fault(meta: RunMeta, rest: Rest) -> str | None:
    """What is wrong with the record of a run whose replay came to ``rest``; None: nothing, byte for byte."""
    if meta.status == "completed":
        if not isinstance(rest, Completed):
            return f"the run completed, its replay did not{_because(rest)}"
        if meta.output is None:
            return "its record has no output to compare with"
        return None if rest.output == meta.output else "the replay's output differs from the recorded one"
    if meta.status == "failed":
        recorded = (meta.error or {}).get("message")
        if isinstance(rest, Failed) and rest.error["message"] == recorded:
            return None
        return f"the run failed with: {recorded}; its replay did not{_because(rest)}"
    # An interrupted run may have been about to end; of the others the replay must stop where they did.
    if meta.status == "running" or isinstance(rest, RecordEnded):
        return None
    return f"the run is {meta.status}, its replay ended{_because(rest)}"


def _because(rest: object) -> str:
    return f" ({rest.error['message']})" if isinstance(rest, Failed) else ""
