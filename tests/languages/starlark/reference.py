"""The reference implementation of Starlark: what it makes of a program."""

import re
from dataclasses import dataclass

import starlark

_PLACE = re.compile(r"--> t\.star:(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program came to: the value of its global ``result``, or the text of its error and the line of that.

    ``refused`` says that it was not even begun.
    """

    result: str | None
    error: str = ""
    line: int = 0
    refused: bool = False


class ReferencePanics(Exception):
    """The reference implementation does not survive the program."""


def dialect() -> starlark.Dialect:
    found = starlark.Dialect.standard()
    found.enable_f_strings = found.enable_keyword_only_arguments = found.enable_lambda = found.enable_def = True
    found.enable_positional_only_arguments = True
    found.enable_types = starlark.DialectTypes.PARSE_ONLY
    return found


def run_reference(text: str) -> Outcome:
    """Raises ``ReferencePanics``."""
    options = starlark.EvalOptions(max_callstack_size=3000)
    module = starlark.Module()
    try:
        starlark.eval_with(options, module, starlark.parse("t.star", text, dialect()), starlark.Globals.standard())
    except starlark.StarlarkError as error:
        told = str(error)
        message = told[0 if told.startswith("error: ") else told.find("\nerror: ") + 1 :].removeprefix("error: ")
        place = _PLACE.search(told)
        return Outcome(None, re.split(r"\n *--> ", message)[0], int(place[1]) if place else 0)
    except BaseException as panic:
        if type(panic).__name__ != "PanicException":
            raise
        raise ReferencePanics(str(panic)) from None
    return Outcome(str(module["result"]))
