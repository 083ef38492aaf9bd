"""What a model's reply says as JSON, and how a reply is shown in an error."""

import re
from contextlib import suppress

from .foreign_json import recordable_json

_SHOWN = 200
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL | re.IGNORECASE)


def json_text(reply: str) -> bytes:
    """The JSON value that a reply is, or that stands in its first code fence, as JSON text.

    Raises:
        ValueError: there is none.
    """
    fenced = _FENCED.search(reply)
    candidates = [reply] if fenced is None else [reply, fenced.group(1)]
    for candidate in candidates:
        with suppress(ValueError):
            return recordable_json(candidate)
    raise ValueError("no JSON value")


def shortened(text: str) -> str:
    """``text``, or its first 200 characters and a mark that there was more."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " …"
