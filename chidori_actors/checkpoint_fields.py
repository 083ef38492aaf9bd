"""Fields of a checkpoint file that somebody else may have written: each is what it must be, or the file is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import ChidoriError
from .journal.checkpoint import bad_checkpoint

LATEST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, after which RFC 3339 cannot write a time."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one object of the file, which ``where`` names. An absent one and null are the same.

    Every method raises ``ChidoriError`` when the field is of another kind.
    """

    where: str
    values: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise self._fault(name, "a string")
        return value

    def number(self, name: str) -> int | None:
        """A whole number from 0 on; times are in milliseconds since 1970."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LATEST_MS:
            raise self._fault(name, "a whole number, or is out of range")
        return value

    def object(self, name: str) -> "Fields | None":
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._fault(name, "an object")
        return Fields(f"{self.where}.{name}", value)

    def objects(self, name: str) -> "list[Fields]":
        """The items of an array of objects; none when it is absent."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._fault(name, "an array of objects")
        return [Fields(f"{self.where}.{name}[{place}]", item) for place, item in enumerate(value)]

    def texts(self, name: str) -> list[str] | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._fault(name, "an array of strings")
        return value

    def _fault(self, name: str, what: str) -> ChidoriError:
        return bad_checkpoint(f"`{self.where}.{name}` is not {what}")
