"""What the command line says once a run is at rest, and the exit code."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from .. import exact_json
from ..answers import OpenQuestion
from ..clipping import clip
from ..journal.runs import RunMeta
from ..runtime import RunResult
from ..session.outcome import BOUND_EXCEEDED, Completed, Failed
from .output import write
from .placement import again
from .plain_text import counted
from .screen import printable

EXIT_FAILED = 1
EXIT_PAUSED = 3
_SHOWN = 200
_INPUT_ERROR = "InputError"
_SAID_BY_THE_MESSAGE = ("Error", BOUND_EXCEEDED, "PolicyError", _INPUT_ERROR)


def resume_command(agent: str, run_id: str, *more: str) -> str:
    """The command that continues a run, ready for a shell."""
    return again("resume", agent, run_id, *more)


def conclude(result: RunResult, *, print_output: bool) -> int:
    """Print the output, or why there is none and how to go on; the exit code (wire contract, section 6)."""
    meta, rest = result.meta, result.rest
    if isinstance(rest, Completed):
        if print_output:
            write(pretty(rest.output))
        return 0
    if isinstance(rest, Failed):
        code, lines = EXIT_FAILED, _failure(meta, rest.error)
    elif meta.pending:
        code, lines = EXIT_PAUSED, _open_questions(meta)
    else:
        code, lines = EXIT_FAILED, _unfinished(meta)
    for line in lines:
        write(printable(line), err=True)
    return code


def pretty(json_text: bytes) -> bytes:
    """JSON text with an indent of two spaces."""
    return exact_json.dumps(exact_json.loads(json_text), option=orjson.OPT_INDENT_2)


def error_line(error: Mapping[str, Any]) -> str:
    """A run's error as ``file:line:column: message``."""
    name, message = error.get("name", "Error"), str(error["message"])
    if name not in _SAID_BY_THE_MESSAGE:
        message = f"{name}: {message}"
    location = error.get("location")
    return f"{location}: {message}" if location else message


def _failure(meta: RunMeta, error: Mapping[str, Any]) -> Iterator[str]:
    yield f"Error: {error_line(error)}"
    if error.get("source_line"):
        yield f"  {error['source_line']}"
    if error.get("for_good"):
        yield "  that holds for this run; begin another one, or branch off before the call: chidori branch --help"
    elif meta.failed_ordinal is not None and not error.get("own_code"):
        how = "make the failed call again with"
        if error.get("name") == "PolicyError":
            how = f"once the policy allows the call, {how}"
        yield f"  {how}: {resume_command(meta.agent, meta.id)}"
    elif meta.failed_ordinal is None and error.get("name") == _INPUT_ERROR:
        yield f"  start a run with other input: {again('run', meta.agent, '--input', 'KEY=VALUE')}"
    else:
        changed = resume_command(meta.agent, meta.id, "--allow-source-change")
        yield f"  mend the agent and go on with: {changed}"
    yield f"  look at the run with: {again('trace', meta.id)}"


def _unfinished(meta: RunMeta) -> Iterator[str]:
    yield "Error: the run was interrupted, so its record ends before the agent does"
    yield f"  go on with: {resume_command(meta.agent, meta.id)}"


def _open_questions(meta: RunMeta) -> Iterator[str]:
    yield f"Paused: {counted(len(meta.pending), 'question')} to answer"
    for question in meta.pending:
        yield f"  {asked(question)}"
        command = answer_command(meta, question)
        if question["kind"] == "input":
            yield f"     {command}"
        else:
            if question["args"] is not None:
                yield f"     {clip(exact_json.dumps(question['args']).decode(), _SHOWN)}"
            yield f"     {command}   (or --deny {question['seq']})"


def asked(question: OpenQuestion) -> str:
    """An open question on one line, with its choices."""
    choices = question["choices"]
    return f"#{question['seq']} {clip(question['prompt'], _SHOWN)}" + (f" ({', '.join(choices)})" if choices else "")


def answer_command(meta: RunMeta, question: OpenQuestion) -> str:
    """The command that answers an open question of the run, or allows what it asks."""
    seq = question["seq"]
    decision = ("--answer", f"{seq}=TEXT") if question["kind"] == "input" else ("--approve", str(seq))
    return resume_command(meta.agent, meta.id, *decision)
