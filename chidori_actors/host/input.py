"""``input``: asks a person, and waits as long as it takes."""

import orjson

from .function import HostCall, HostError, HostFunction, HostResult, HostServices, JsonObject, Question


def _record_args(args: JsonObject, default_model: str | None) -> JsonObject:
    return {name: args.get(name) for name in ("prompt", "type", "choices", "default")}


def _question(call: HostCall) -> Question:
    prompt, kind, choices, default = (call.args.get(name) for name in ("prompt", "type", "choices", "default"))
    if not isinstance(prompt, str):
        raise HostError("input: the prompt must be a string")
    if choices is not None and not (
        isinstance(choices, list) and choices and all(isinstance(choice, str) for choice in choices)
    ):
        raise HostError("input: choices must be an array of strings that is not empty")
    if default is not None and not isinstance(default, str):
        raise HostError("input: the default must be a string")
    return Question(
        seq=call.seq,
        path=call.path,
        kind="input",
        prompt=prompt,
        choices=None if choices is None else tuple(choices),
        default=default,
        details=None if kind is None else {"type": kind},
    )


async def _run(call: HostCall, services: HostServices) -> HostResult:
    question = _question(call)
    answer = await services.questions.ask(question)
    if question.choices is not None and answer not in question.choices:
        raise HostError(f'input: "{answer}" is not among the choices: {", ".join(question.choices)}')
    return HostResult(orjson.dumps(answer))


FUNCTION = HostFunction(name="input", run=_run, record_args=_record_args)
