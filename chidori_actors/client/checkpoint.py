"""Checkpoints: the recorded calls of a run, as the server and as files have them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ..files import replace_file
from ..journal.json_text import parse_json
from .errors import ClientError
from .json_bytes import json_bytes

JsonObject = dict[str, Any]

_FIELDS = ("session_id", "input", "call_log", "snapshot_manifest")
_OTHER_NAMES = ("id", "run_id")
"""What the server calls ``session_id``."""
_HINT = "`Checkpoint.save`, `chidori export` and `GET /sessions/ID/checkpoint` write good ones"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The calls of a session, from which it can be replayed without asking a model.

    ``call_log`` has the records in the order in which the calls ended. ``extra`` keeps what else there is:
    the session's ``status`` in one that a server gave, the source in one of `chidori export`.
    """

    session_id: str
    input: Any
    call_log: list[JsonObject]
    snapshot_manifest: JsonObject | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: str | Path) -> None:
        """Write the checkpoint as a file that `chidori import` reads too; one of that name is replaced.

        Raises:
            ClientError: it cannot be written.
        """
        try:
            document = {name: getattr(self, name) for name in _FIELDS} | dict(self.extra)
            replace_file(Path(path), json_bytes(document, option=orjson.OPT_INDENT_2) + b"\n")
        except (OSError, ValueError) as error:
            raise ClientError(f"the checkpoint cannot be written to {path}: {_reason(error)}") from error

    @classmethod
    def load(cls, path: str | Path) -> "Checkpoint":
        """Read a file that ``save`` or `chidori export` wrote, or what `GET /sessions/ID/checkpoint` answered.

        Raises:
            ClientError: it cannot be read, or is no checkpoint.
        """
        try:
            return checkpoint_of_answer(parse_json(Path(path).read_bytes()))
        except OSError as error:
            raise ClientError(f"the checkpoint {path} cannot be read: {_reason(error)}") from error
        except KeyError as error:
            raise ClientError(f"{path} is not a checkpoint: `{error.args[0]}` is missing", hint=_HINT) from error
        except (ValueError, TypeError) as error:
            raise ClientError(f"{path} is not a checkpoint: {error}", hint=_HINT) from error


def checkpoint_of_answer(answer: JsonObject) -> Checkpoint:
    """The checkpoint in an answer of the server, or in a file.

    Raises:
        KeyError, TypeError: it is none.
    """
    session_id = answer["id"] if "session_id" not in answer and "id" in answer else answer["session_id"]
    manifest = answer.get("snapshot_manifest")
    for name, value, kind, words in (
        ("session_id", session_id, str, "a string"),
        ("call_log", answer["call_log"], list, "an array"),
        ("snapshot_manifest", manifest, dict | None, "an object"),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"`{name}` is not {words}")
    extra = {name: value for name, value in answer.items() if name not in (*_FIELDS, *_OTHER_NAMES)}
    return Checkpoint(session_id, answer["input"], answer["call_log"], manifest, extra)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
