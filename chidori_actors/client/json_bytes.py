"""Values as JSON text, or the reason why there is none."""

from collections.abc import Mapping
from typing import Any

import orjson

from .. import exact_json
from ..finite_numbers import non_finite


def json_bytes(fields: Mapping[str, Any], *, option: int | None = None) -> bytes:
    """``fields`` as a JSON object; ``option`` is one of orjson.

    Raises:
        ValueError: one of them is not JSON; the message names the field and the place in it where that is known.
    """
    try:
        text = exact_json.dumps(fields, option=option)
    except orjson.JSONEncodeError as error:
        raise ValueError(str(error)) from None
    # A number that JSON cannot carry is written as null, so a text without one needs no second look.
    if b"null" in text:
        for name, value in fields.items():
            if fault := non_finite(value, name):
                raise ValueError(fault)
    return text
