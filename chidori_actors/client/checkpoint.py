"""Checkpoints: the recorded calls of a run, as the server and as files have them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from .. import exact_json
from ..files import replace_file
from ..journal.json_text import parse_json
from .errors import ClientError

JsonObject = dict[str, Any]

_FIELDS = ("session_id", "input", "call_log", "snapshot_manifest")
_OF_THE_VIEW = ("id", "run_id", "status")
_HINT = "`Checkpoint.save` and `chidori export` write good ones"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The calls of a session, from which it can be replayed without asking a model.

    ``call_log`` has the records in the order in which the calls ended. ``extra`` keeps what else a file has, such
    as the source that `chidori export` adds.
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
            replace_file(Path(path), exact_json.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        except (OSError, orjson.JSONEncodeError) as error:
            raise ClientError(f"the checkpoint cannot be written to {path}: {_reason(error)}") from error

    @classmethod
    def load(cls, path: str | Path) -> "Checkpoint":
        """Read a file that ``save`` or `chidori export` wrote.

        Raises:
            ClientError: it cannot be read, or is no checkpoint.
        """
        try:
            document = parse_json(Path(path).read_bytes())
            return _checkpoint(document, document["session_id"], _FIELDS)
        except OSError as error:
            raise ClientError(f"the checkpoint {path} cannot be read: {_reason(error)}") from error
        except KeyError as error:
            raise ClientError(f"{path} is not a checkpoint: `{error.args[0]}` is missing", hint=_HINT) from error
        except (ValueError, TypeError) as error:
            raise ClientError(f"{path} is not a checkpoint: {error}", hint=_HINT) from error


def checkpoint_of_answer(answer: JsonObject) -> Checkpoint:
    """The checkpoint in an answer of the server.

    Raises:
        KeyError, TypeError: it is none.
    """
    return _checkpoint(answer, answer["id"], (*_FIELDS, *_OF_THE_VIEW))


def _checkpoint(document: JsonObject, session_id: str, known: tuple[str, ...]) -> Checkpoint:
    manifest = document.get("snapshot_manifest")
    for name, value, kind, words in (
        ("session_id", session_id, str, "a string"),
        ("call_log", document["call_log"], list, "an array"),
        ("snapshot_manifest", manifest, dict | None, "an object"),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"`{name}` is not {words}")
    extra = {name: value for name, value in document.items() if name not in known}
    return Checkpoint(session_id, document["input"], document["call_log"], manifest, extra)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
