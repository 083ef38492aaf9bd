"""Placeholders that stand for environment variables, so that no VM, image, record or log holds a value."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any

from .. import exact_json
from .addresses import names_host
from .function import HostError
from .spellings import spellings

_PREFIX = "chidori-env-"
_PLACEHOLDER = re.compile(_PREFIX + r"([A-Za-z_][A-Za-z0-9_]*)-([0-9a-f]{20})")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A shorter value occurs in ordinary text by chance ("true", "8080").
_SHORTEST_REDACTED = 6


class Secrets:
    """The environment variables of one run: makes placeholders, fills them in, and takes values out of text.

    Args:
        environ: The variables and their values.
        seed: The run's recorded seed. Placeholders depend on it alone, so they survive a resume in another
            process, and text from outside cannot forge one.
        allowed_hosts: What a policy rule binds a name to (``host`` or ``host:port``), or None when it may go
            anywhere.
    """

    __slots__ = ("_allowed_hosts", "_environ", "_known", "_patterns", "_seed", "_stand_ins")

    def __init__(
        self, environ: Mapping[str, str], seed: str, allowed_hosts: Callable[[str], tuple[str, ...] | None]
    ) -> None:
        self._environ = environ
        self._seed = seed.encode()
        self._allowed_hosts = allowed_hosts
        self._stand_ins: dict[str, str] = {}
        self._known: set[str] = set()
        self._patterns: list[tuple[re.Pattern[str], str]] | None = None

    def placeholder(self, name: str) -> str:
        """The placeholder of a variable: the same text in every execution of the run."""
        digest = hmac.new(self._seed, f"env:{name}".encode(), hashlib.sha256).hexdigest()
        return f"{_PREFIX}{name}-{digest[:20]}"

    def value(self, name: str) -> str:
        """The value of a variable.

        Raises:
            HostError: the name is not a variable's name, or the variable is not set.
        """
        if not _VARIABLE_NAME.fullmatch(name):
            raise HostError(f"env: {name!r} is not the name of an environment variable")
        value = self._environ.get(name)
        if value is None:
            raise HostError(f"environment variable {name} is not set; set it where chidori is started: {name}=…")
        return value

    def reveal(self, name: str) -> str:
        """The value itself; ``redact`` knows it from now on. Raises ``HostError`` as ``value`` does."""
        value = self.value(name)
        self.know(name)
        return value

    def know(self, name: str) -> None:
        """Let ``redact`` replace the value of a variable; one that is not set has none that could leak."""
        value = self._environ.get(name)
        if value is not None:
            self._known.add(name)
            self.remember(value, self.placeholder(name))

    @property
    def known(self) -> tuple[str, ...]:
        """The variables whose values ``redact`` knows."""
        return tuple(self._known)

    def has_placeholder(self, text: str) -> bool:
        """Whether ``text`` contains a placeholder that this run made."""
        return any(self._is_ours(found) for found in _PLACEHOLDER.finditer(text))

    def fill(self, text: str, host: str, port: int | None) -> str:
        """``text`` with this run's placeholders replaced by their values, to be sent to ``host`` at ``port``.

        A server that is a process of this machine is the host ``mcp:name``, in lower case, without a port.

        Raises:
            HostError: a policy rule binds a variable to other hosts, or the variable is not set any more.
        """
        if _PREFIX not in text:
            return text
        return _PLACEHOLDER.sub(lambda found: self._filled(found, host, port), text)

    def remember(self, value: str, stand_in: str) -> None:
        """Let ``redact`` replace ``value``, and each of its lines, with ``stand_in`` (``spellings`` tells how they are
        found). What is shorter than 6 characters is not searched for."""
        # Servers drop space at the ends, and what is told of a process indents its lines.
        for part in (value, value.strip(), *map(str.strip, value.splitlines())):
            if len(part) >= _SHORTEST_REDACTED and part not in self._stand_ins:
                self._stand_ins[part] = stand_in
                self._patterns = None

    def redact(self, text: str) -> str:
        """``text`` with every value that the agents were given, or that was sent, replaced by its placeholder."""
        if not self._stand_ins or len(text) < _SHORTEST_REDACTED:
            return text
        # One after the other is 50 times as fast as all at once, and most texts hold none.
        found = [(pattern.pattern, stand_in) for pattern, stand_in in self._search() if pattern.search(text)]
        if not found:
            return text
        joined = re.compile("|".join(f"({pattern})" for pattern, _ in found))
        return joined.sub(lambda match: found[(match.lastindex or 1) - 1][1], text)

    def redact_json(self, value: Any) -> Any:
        """A JSON value whose texts are redacted; a number that is a known value becomes its placeholder."""
        return self._redacted(value) if self._stand_ins else value

    def _redacted(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self.redact(name): self._redacted(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._redacted(item) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._stand_ins.get(exact_json.dumps(value).decode(), value)
        return value

    def _search(self) -> list[tuple[re.Pattern[str], str]]:
        """What finds each known value, the longest first, and its stand-in."""
        if self._patterns is None:
            found = [
                (length, re.compile(pattern), stand_in)
                for value, stand_in in self._stand_ins.items()
                for length, pattern in spellings(value)
            ]
            found.sort(key=lambda one: one[0], reverse=True)
            self._patterns = [(pattern, stand_in) for _, pattern, stand_in in found]
        return self._patterns

    def _is_ours(self, found: re.Match[str]) -> bool:
        return hmac.compare_digest(found[0], self.placeholder(found[1]))

    def _filled(self, found: re.Match[str], host: str, port: int | None) -> str:
        if not self._is_ours(found):
            return found[0]
        name = found[1]
        hosts = self._allowed_hosts(name)
        if hosts is not None and not names_host(hosts, host, port):
            destination = host if port is None else f"{host}:{port}"
            raise HostError(
                f"policy: {name} may be sent only to {', '.join(hosts) or 'no host'}, not to {destination}; "
                f"add the host to the `hosts` of the rule env:{name} to allow it"
            )
        return self.reveal(name)
