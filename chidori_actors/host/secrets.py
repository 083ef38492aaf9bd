"""Placeholders that stand for environment variables, so that no VM, image, record or log holds a value."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

import orjson

from .addresses import names_host
from .function import HostError

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

    __slots__ = ("_allowed_hosts", "_environ", "_pattern", "_seed", "_stand_ins", "revealed")

    def __init__(
        self, environ: Mapping[str, str], seed: str, allowed_hosts: Callable[[str], tuple[str, ...] | None]
    ) -> None:
        self._environ = environ
        self._seed = seed.encode()
        self._allowed_hosts = allowed_hosts
        self._stand_ins: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self.revealed: set[str] = set()

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
        self.revealed.add(name)
        self.remember(value, self.placeholder(name))
        return value

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
        """Let ``redact`` replace ``value``, and its URL and JSON spellings, with ``stand_in``."""
        if len(value) < _SHORTEST_REDACTED:
            return
        in_json = orjson.dumps(value.encode("utf-8", "replace").decode()).decode()[1:-1]
        for spelling in (
            value,
            quote(value, safe="", errors="replace"),
            quote_plus(value, errors="replace"),
            in_json,
        ):
            if spelling not in self._stand_ins:
                self._stand_ins[spelling] = stand_in
                self._pattern = None

    def redact(self, text: str) -> str:
        """``text`` with every value that was filled in or revealed replaced by its placeholder."""
        if not self._stand_ins:
            return text
        if self._pattern is None:
            longest_first = sorted(self._stand_ins, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        return self._pattern.sub(lambda found: self._stand_ins[found[0]], text)

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
