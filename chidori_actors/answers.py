"""Answers to the open questions of a run that are there before it is continued."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import UsageError
from .host.function import Question, Questions

OLDEST = "oldest"
"""What ``--approve`` and ``--deny`` have for a value when they name no question."""

_NUMBERED = re.compile(r"(\d+)=(.*)", re.DOTALL)

OpenQuestion = Mapping[str, Any]
Answers = Mapping[tuple[int, str], str]
"""By the question's seq and kind: a call may be asked about more than once."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """``Questions`` with answers at hand; every other question goes to ``others``."""

    answers: Answers
    others: Questions

    async def ask(self, question: Question) -> str:
        """The prepared answer, else what ``others`` say."""
        answer = self.answers.get((question.seq, question.kind))
        # Of a changed source the question may have other choices than it had when the answer was looked at.
        if answer is None or (question.choices is not None and answer not in question.choices):
            return await self.others.ask(question)
        return answer


def match_answers(
    pending: Sequence[OpenQuestion], answers: Sequence[str], approve: Sequence[str], deny: Sequence[str]
) -> Answers:
    """Which open question gets which answer.

    ``answers`` are ``TEXT`` or ``SEQ=TEXT``; ``approve`` and ``deny`` are a seq or ``OLDEST``. What names no
    seq goes to the oldest question of its kind that has no answer yet.

    Raises:
        UsageError: no such question is open, it was given two answers, or its choices have no such answer.
    """
    chosen: dict[tuple[int, str], str] = {}
    given = [*_texts(answers), *_decisions("--approve", approve, 0), *_decisions("--deny", deny, -1)]
    for answer in sorted(given, key=lambda answer: answer.seq is None):
        if answer.seq is None:
            question = _oldest(pending, chosen, answer.option)
        else:
            question = _open(pending, answer.seq, answer.option)
        _choose(chosen, question, answer)
    return chosen


@dataclass(frozen=True, slots=True)
class _Given:
    """One option: a text, or the place of a decision among the question's choices."""

    option: str
    seq: str | None
    text: str | None = None
    place: int = 0


def _texts(answers: Sequence[str]) -> list[_Given]:
    found = [(_NUMBERED.fullmatch(answer), answer) for answer in answers]
    return [
        _Given("--answer", match[1], match[2]) if match else _Given("--answer", None, answer) for match, answer in found
    ]


def _decisions(option: str, seqs: Sequence[str], place: int) -> list[_Given]:
    return [_Given(option, None if seq == OLDEST else seq, place=place) for seq in seqs]


def _open(pending: Sequence[OpenQuestion], seq: str, option: str) -> OpenQuestion:
    for question in pending:
        if str(question["seq"]) == seq:
            return question
    raise UsageError(f"{option}: question {seq} is not open", hint=_which_are_open(pending))


def _oldest(pending: Sequence[OpenQuestion], chosen: Answers, option: str) -> OpenQuestion:
    for question in pending:
        if _key(question) not in chosen and (question["kind"] == "input") == (option == "--answer"):
            return question
    what = "waits for an answer" if option == "--answer" else "waits for approval"
    raise UsageError(f"{option}: no open question of this run {what}", hint=_which_are_open(pending))


def _which_are_open(pending: Sequence[OpenQuestion]) -> str:
    if not pending:
        return "the run has no open question"
    return "open questions: " + ", ".join(f"{question['seq']} ({question['kind']})" for question in pending)


def _key(question: OpenQuestion) -> tuple[int, str]:
    return question["seq"], question["kind"]


def _choose(chosen: dict[tuple[int, str], str], question: OpenQuestion, given: _Given) -> None:
    seq, choices = question["seq"], question["choices"]
    if _key(question) in chosen:
        raise UsageError(f"{given.option}: question {seq} was given two answers")
    if given.text is None and question["kind"] == "input":
        raise UsageError(f"{given.option}: question {seq} asks for text", hint="answer it with --answer")
    text = choices[given.place] if given.text is None else given.text
    if choices is not None and text not in choices:
        raise UsageError(
            f"{given.option}: {text!r} is not among the choices of question {seq}",
            hint=f"choices: {', '.join(choices)}; nothing was changed",
        )
    chosen[_key(question)] = text
