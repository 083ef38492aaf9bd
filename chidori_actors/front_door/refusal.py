"""What a request is refused with (wire contract, section 1): a status, and ``{"error": …}``."""

from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """The request cannot be done; ``fields`` stand beside ``error`` in the answer's body."""

    def __init__(self, status: int, error: str, *, headers: Mapping[str, str] | None = None, **fields: Any) -> None:
        super().__init__(error)
        self.status = status
        self.headers = dict(headers or {})
        self.fields = fields


def not_found() -> Refused:
    return Refused(404, "Session not found")
