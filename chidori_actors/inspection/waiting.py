"""How much of a call's time was spent in a queue or for a person, as far as its record tells.

- An ``input`` is nothing but waiting for a person.
- Between being made and being performed a call waits for an approval or a decision (in doubt): it is what its time from
  its start to its end is longer than its duration, which counts from when it is performed. A call that was made again
  after an interruption (``reissued``) has also the time in it in which nobody worked on the run, so it counts nothing.
- A prompt waits between its attempts (``attempts[].wait_ms``).
- Untrusted code waits for one of the sandbox's processes (``queued_ms``).

Waiting for a turn among the branches of a ``parallel`` with ``concurrency`` is no call's time: the branch begins later.
"""

from ..journal.lanes import Settled

_NOTICEABLE_MS = 10
"""What takes less is the journal's own work."""


def waited_ms(function: str, took_ms: int, settled: Settled) -> int:
    """Milliseconds of waiting of a call that has ended; ``took_ms`` is the time from its start to its end."""
    if function == "input":
        return took_ms
    notes = settled.notes
    before = 0 if notes.get("reissued") is True else took_ms - round(settled.duration_ms)
    waited = before if before >= _NOTICEABLE_MS else 0
    attempts = notes.get("attempts")
    for attempt in attempts if isinstance(attempts, list) else ():
        if isinstance(attempt, dict):
            waited += _number(attempt.get("wait_ms"))
    return min(took_ms, waited + _number(notes.get("queued_ms")))


def _number(value: object) -> int:
    # Of another implementation's run a field of that name may be anything.
    return round(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0
