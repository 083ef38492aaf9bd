"""``${NAME}`` in configuration files: the value of an environment variable, so that secrets stay out of the files."""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\{(?:([^}]*)\})?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORM = "write ${NAME} with the name of an environment variable, nothing else"


class BadReference(ValueError):
    """A reference that cannot be filled in: ``str()`` reads on from the place it stands at, ``hint`` is the way out."""

    def __init__(self, fault: str, hint: str) -> None:
        super().__init__(fault)
        self.hint = hint


def fill_references(text: str, environ: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """``text`` with every ``${NAME}`` replaced by the variable's value, and the variables that it used.

    Raises:
        BadReference: a reference is not closed, names no variable, or one that is not set.
    """
    used: dict[str, str] = {}

    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            raise BadReference("has `${` without a `}`", _FORM)
        used[found[1]] = _value(found[1], environ)
        return used[found[1]]

    return _REFERENCE.sub(value, text), used


def _value(name: str, environ: Mapping[str, str]) -> str:
    if not _NAME.fullmatch(name):
        raise BadReference(f"has `${{{name}}}`, which names no variable", _FORM)
    value = environ.get(name)
    if value is None:
        hint = f"set it where chidori is started: {name}=… chidori …"
        raise BadReference(f"needs the environment variable {name}, which is not set", hint)
    return value
