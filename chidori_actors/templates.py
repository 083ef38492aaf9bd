"""Where ``chidori.template`` finds its files: the run's own bundle first, then the folder beside the agent."""

from collections.abc import Callable
from pathlib import Path

from .languages.bundle import Bundle

_LONGEST = 1 << 20


def template_reader(bundle: Bundle, folder: Path | None) -> Callable[[str], str | None]:
    """Reads a template by its path relative to the agent's ``folder``; None when there is none.

    What the bundle holds was fixed when the run began. Other text files are read from disk when the folder is known,
    never from outside of it, symbolic links included.
    """
    bundled = dict(bundle.templates)

    def read(path: str) -> str | None:
        if path in bundled:
            return bundled[path]
        if folder is None:
            return None
        try:
            root = folder.resolve(strict=True)
            file = (root / path).resolve(strict=True)
            if not file.is_relative_to(root) or not file.is_file() or file.stat().st_size > _LONGEST:
                return None
            return file.read_text(encoding="utf-8")
        except (OSError, ValueError, RuntimeError):  # Python 3.11 and 3.12 tell of a loop of links as RuntimeError
            return None

    return read
