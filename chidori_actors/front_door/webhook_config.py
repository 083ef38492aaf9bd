"""The file that says how event paths authenticate (``CHIDORI_WEBHOOKS``; wire contract, section 3)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn, cast, get_args

from ..config_text import parse_json_config, parse_yaml_config
from ..errors import UsageError
from ..host.unicode import without_lone_surrogates
from ..settings import Settings
from ..variable_references import BadReference, fill_references
from .route_table import ROUTES

Kind = Literal["github", "slack", "bearer", "open"]

_KINDS: tuple[str, ...] = get_args(Kind)
_PATH = re.compile(r"/[^?#*]*|/(?:[^?#*]*/)?\*")
_SESSIONS = "/sessions/"
_FIELDS = ("kind", "secret")
_EXAMPLE = (
    'write {"/github": {"kind": "github", "secret": "${GITHUB_WEBHOOK_SECRET}"}, "/public/*": {"kind": "open"}}, '
    "or the same in YAML"
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """How the requests to a path authenticate. ``secret`` is empty for ``open`` and never otherwise."""

    kind: Kind
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The entries by path; one that ends in ``/*`` is for everything below that path."""

    entries: Mapping[str, Webhook] = field(default_factory=dict)

    def find(self, path: str) -> Webhook | None:
        """The path's own entry, else the one with the longest prefix of it, else None."""
        if path in self.entries:
            return self.entries[path]
        above = [entry for entry in self.entries if entry.endswith("/*") and path.startswith(entry[:-1])]
        return self.entries[max(above, key=len)] if above else None


def load_webhooks(settings: Settings) -> Webhooks:
    """Read the file that ``CHIDORI_WEBHOOKS`` names; without one no path has an entry.

    Raises:
        UsageError: the file cannot be read or does not say what it must; the message names file and place.
    """
    path = settings.webhooks
    if path is None:
        return Webhooks()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "correct CHIDORI_WEBHOOKS, or unset it to have no entries"
        raise UsageError(f"{path}: the webhooks file cannot be read: {reason}", hint=hint) from error
    is_yaml = path.suffix in (".yaml", ".yml")
    try:
        document = parse_yaml_config(text) if is_yaml else parse_json_config(text)
    except ValueError as error:
        kind = "YAML" if is_yaml else "JSON"
        raise UsageError(f"{path}: the webhooks file is not valid {kind}: {error}", hint=_EXAMPLE) from error
    if not isinstance(document, dict):
        raise UsageError(f"{path}: it must be an object that holds an entry for each path", hint=_EXAMPLE)
    return Webhooks(dict(_entry(path, name, entry, settings.environ) for name, entry in document.items()))


def _entry(file: Path, path: object, entry: object, environ: Mapping[str, str]) -> tuple[str, Webhook]:
    def fail(fault: str, hint: str = _EXAMPLE) -> NoReturn:
        raise UsageError(f"{file}: `{path}` {fault}", hint=hint)

    if not isinstance(path, str) or not _PATH.fullmatch(path):
        fail("is not a path: it begins with `/`, has no query, and `*` stands only at the end, after a `/`")
    if path.startswith(_SESSIONS) or any(path == route.path for route in ROUTES):
        fail("is a path of the server itself, which no event reaches", "choose another path for the events")
    if not isinstance(entry, dict):
        fail("must be an object with `kind` and, unless that is open, `secret`")
    for name in entry:
        if name not in _FIELDS:
            fail(f"has an unknown field `{name}`; known are {', '.join(_FIELDS)}")
    kind = entry.get("kind")
    if kind not in _KINDS:
        fail(f"{'has no' if kind is None else f'is of {kind!r}, an unknown'} kind; use one of: {', '.join(_KINDS)}")
    if (kind == "open") != ("secret" not in entry):
        fail("is open to everybody, and has a `secret`" if kind == "open" else f"is of kind {kind} and has no `secret`")
    return path, Webhook(cast(Kind, kind), "" if kind == "open" else _secret(entry["secret"], environ, fail))


def _secret(given: object, environ: Mapping[str, str], fail: Callable[..., NoReturn]) -> str:
    if not isinstance(given, str):
        fail("has a `secret` that is not a string", "put quotes around it, or name a variable: ${NAME}")
    try:
        secret, _ = fill_references(given, environ)
    except BadReference as error:
        fail(f"has a `secret` that {error}", error.hint)
    if not secret.strip():
        fail("has an empty `secret`, which would let everybody in", 'say so with {"kind": "open"} if that is meant')
    if without_lone_surrogates(secret) != secret:
        fail("has a `secret` that is not text in UTF-8", "look at the value of the variable that it names")
    return secret
