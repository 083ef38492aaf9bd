"""What a client wants a call to answer in a branch from history."""

from ..branch_points import Edit
from .refusal import Refused
from .request_body import BodyFields


def read_edit(fields: BodyFields) -> Edit:
    """The edit that a body is about.

    Raises:
        Refused: a field is missing or wrong.
    """
    at = fields.optional_number("at")
    if at is None:
        raise Refused(422, "`at` is missing")
    error, note = fields.optional_text("error"), fields.optional_text("note")
    if (error is None) == ("result" not in fields.values):
        raise Refused(422, "give either `result` or `error`")
    return Edit(at, None if error is not None else fields.json("result"), error, note)
