"""The templates that lie beside an agent; they are part of its source bundle."""

import os
from pathlib import Path

from ..errors import ChidoriError

SUFFIXES = (".jinja", ".jinja2", ".j2")
_MAX_FILES = 200
_MAX_BYTES = 256 * 1024


def collect_templates(folder: Path) -> tuple[tuple[str, str], ...]:
    """Path (POSIX, relative to ``folder``) and text of every template below it, sorted by path.

    Symlinks are not followed; hidden directories, ``node_modules`` and virtual environments are skipped.

    Raises:
        ChidoriError: more than 200 templates, one of more than 256 KB, or one that is not UTF-8.
    """
    found: list[tuple[str, str]] = []
    for at, folders, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        for name in files:
            path = Path(at, name)
            if name.endswith(SUFFIXES) and path.is_file() and not path.is_symlink():
                found.append((path.relative_to(folder).as_posix(), _read(path)))
        if len(found) > _MAX_FILES:
            raise ChidoriError(
                f"there are more than {_MAX_FILES} templates below {folder}",
                hint="they are stored with every run; keep the agent in a folder of its own",
            )
    return tuple(sorted(found))


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ChidoriError(
                f"the template {path} is larger than {_MAX_BYTES // 1024} KB",
                hint="templates are stored with every run; pass large texts as input",
            )
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ChidoriError(f"the template {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ChidoriError(f"the template {path} is not UTF-8: byte {error.start}") from None
