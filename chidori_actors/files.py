"""Files that others read while they are written."""

import os
import uuid
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write ``path``: whoever reads it finds all of ``data`` there, or what was there before.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    beside = path.with_name(f".chidori-{uuid.uuid4().hex}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
