"""What runs are called."""

import re

_RUN_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


def is_run_id(text: str) -> bool:
    """Whether ``text`` may be the id of a run: 1 to 128 ASCII letters, digits, ``_``, ``.``, ``:``, ``-``."""
    return _RUN_ID.fullmatch(text) is not None
