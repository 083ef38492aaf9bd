"""The regular expressions of JSON Schemas: ECMAScript's, matched in a VM of their own, which can be stopped.

Python's would hold the whole process for as long as a text wants that is made for it.
"""

import json
import time
from collections.abc import Iterable

from . import exact_json

_SECONDS = 0.25
"""For all that one validation matches; the event loop waits for it."""
_MOST_SHOWN = 3
_LONGEST_SHOWN = 100
_MATCH = r"""
// What the `u` flag refuses although its meaning is plain: needless backslashes, as in `\-`.
const plain = /^(?:[^\\]|\\(?:[^A-Za-z]|[bBdDfnrsStvwWx]|u(?!\{)))*$/;
const compiled = (pattern) => {
  try {
    return new RegExp(pattern, "u");
  } catch (error) {
    if (!plain.test(pattern)) throw error;
    return new RegExp(pattern);
  }
};
return input.map(([pattern, texts]) => {
  try {
    const expression = compiled(pattern);
    return texts.map((text) => expression.test(text));
  } catch (error) {
    if (error instanceof SyntaxError) return error.message;
    throw error;
  }
});
"""


class MatchingStopped(Exception):
    """Texts took more time or memory than a validation may have; ``str()`` says with which pattern."""


class UnusablePattern(ValueError):
    """It is no regular expression; ``str()`` says which one and why."""


class Patterns:
    """Which texts match which patterns, for one validation.

    A VM costs more than most validations, so it is asked for many matches at once: ``match`` supposes that a text
    matches, and the validation is repeated for as long as ``settle`` had to find out whether that was so.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], bool] = {}
        self._supposed: dict[str, dict[str, None]] = {}
        self._seconds = _SECONDS

    def match(self, pattern: str, text: str) -> bool:
        """Whether ``pattern`` is found in ``text``, or True when that is not known yet."""
        known = self._known.get((pattern, text))
        if known is None:
            self._supposed.setdefault(pattern, {})[text] = None
        return known is not False

    def settle(self) -> bool:
        """Find out what was supposed; False when nothing was.

        Raises:
            MatchingStopped: it took too long.
            UnusablePattern: one of them is no regular expression.
        """
        asked = {pattern: list(texts) for pattern, texts in self._supposed.items()}
        self._supposed = {}
        if not asked:
            return False
        began = time.perf_counter()
        for (pattern, texts), found in zip(asked.items(), _matched(asked, self._seconds), strict=True):
            self._known |= {(pattern, text): matches for text, matches in zip(texts, found, strict=True)}
        self._seconds = max(0.0, self._seconds - (time.perf_counter() - began))
        return True


def check_patterns(patterns: Iterable[str]) -> None:
    """Compile them.

    Raises:
        MatchingStopped: they are too many or too large.
        UnusablePattern: one of them is no regular expression.
    """
    asked: dict[str, list[str]] = {pattern: [] for pattern in patterns}
    if asked:
        _matched(asked, _SECONDS)


def _matched(asked: dict[str, list[str]], seconds: float) -> list[list[bool]]:
    # Only schemas with patterns need the engine.
    from .vm.engine import load_engine
    from .vm.imports import NoModules
    from .vm.machine import Bounds, Machine, Returned, StepOverran, VmFailed

    machine = Machine(load_engine(), Bounds())
    # Escaped, as texts may hold half of a surrogate pair.
    given = json.dumps(list(asked.items())).encode()
    try:
        said = machine.begin({"source": _MATCH, "random": [0, 0, 0, 0]}, given, NoModules(), 0, seconds)
    except (StepOverran, VmFailed):
        said = []
    finally:
        machine.close()
    answer = next((item for item in said if isinstance(item, Returned)), None)
    if answer is None:
        raise MatchingStopped(_too_long(list(asked)))
    found: list[list[bool]] = []
    for pattern, matches in zip(asked, exact_json.loads(answer.output), strict=True):
        if isinstance(matches, str):
            raise UnusablePattern(f"{_quoted(pattern)} is no regular expression of ECMAScript: {matches}")
        found.append(matches)
    return found


def _too_long(patterns: list[str]) -> str:
    if len(patterns) == 1:
        return f"they took too long to match the pattern {_quoted(patterns[0])}"
    shown = ", ".join(map(_quoted, patterns[:_MOST_SHOWN])) + (", …" if len(patterns) > _MOST_SHOWN else "")
    return f"they took too long to match one of the patterns {shown}"


def _quoted(pattern: str) -> str:
    return json.dumps(pattern if len(pattern) <= _LONGEST_SHOWN else f"{pattern[:_LONGEST_SHOWN]}…", ensure_ascii=False)
