"""JSON schemas of what the server tells of the inside of a session: its timeline and its calls."""

from collections.abc import Mapping
from typing import get_args

from ..inspection.pictured import State
from ..journal.actors import ActorKind
from .schemas import ANY, NUMBER, NUMBER_OR_NULL, TEXT, TEXT_OR_NULL, Schema, given, list_of, nullable, reference

CALL_STATE: Schema = {"type": "string", "enum": list(get_args(State))}
_FLAG: Schema = {"type": "boolean"}
_OBJECT: Schema = {"type": "object"}
_MONEY: Schema = {"type": ["number", "null"], "minimum": 0}
_PLACE = {"path": TEXT, "line": NUMBER, "column": NUMBER}
_SPAN = {"begin_ms": NUMBER, "end_ms": NUMBER_OR_NULL}
_CALL = {"function": TEXT, "label": TEXT, "state": CALL_STATE, "recorded": _FLAG, "wait_ms": NUMBER, **_SPAN}

INSPECTION_SCHEMAS: Mapping[str, Schema] = {
    "Timeline": {"anyOf": [reference("TimelineWindow"), given(version=TEXT, unchanged={"const": True})]},
    "TimelineWindow": given(
        version=TEXT,
        unchanged={"const": False},
        status=TEXT,
        live=_FLAG,
        started_ms=NUMBER,
        now_ms=NUMBER,
        lane_count=NUMBER,
        call_count=NUMBER,
        counts=given(running=NUMBER, waiting=NUMBER, done=NUMBER, failed=NUMBER, cancelled=NUMBER, recorded=NUMBER),
        lanes=list_of(reference("Lane")),
    ),
    "Lane": given(
        path=TEXT,
        kind={"type": "string", "enum": ["root", *get_args(ActorKind)]},
        name=TEXT,
        depth=NUMBER,
        parent_path=TEXT_OR_NULL,
        parent_seq=NUMBER_OR_NULL,
        index=NUMBER,
        state=CALL_STATE,
        call_count=NUMBER,
        bars=list_of({"anyOf": [reference("Bar"), reference("MergedBars")]}),
        **_SPAN,
    ),
    "Bar": given(seq=NUMBER, path=TEXT, row=NUMBER, open_question=_FLAG, **_CALL),
    "MergedBars": given(
        merged=NUMBER,
        first_seq=NUMBER,
        last_seq=NUMBER,
        state=CALL_STATE,
        recorded=_FLAG,
        row=NUMBER,
        begin_ms=NUMBER,
        end_ms=NUMBER,
    ),
    "CallRow": given(
        seq=NUMBER,
        path=TEXT,
        actor=TEXT,
        parent_seq=NUMBER_OR_NULL,
        error=TEXT_OR_NULL,
        model=TEXT_OR_NULL,
        input_tokens=NUMBER_OR_NULL,
        output_tokens=NUMBER_OR_NULL,
        **_CALL,
    ),
    "CallPage": given(calls=list_of(reference("CallRow")), total=NUMBER, offset=NUMBER, version=TEXT),
    "CallDetail": given(
        seq=NUMBER,
        path=TEXT,
        actor=TEXT,
        parent_seq=NUMBER_OR_NULL,
        origin_run_id=TEXT_OR_NULL,
        began_ms=NUMBER,
        duration_ms=NUMBER_OR_NULL,
        attempt=NUMBER,
        args=ANY,
        result=ANY,
        error=nullable(
            given(
                message=TEXT, name=TEXT, data=ANY, location=TEXT_OR_NULL, source_line=TEXT_OR_NULL, stack=TEXT_OR_NULL
            )
        ),
        edited=_FLAG,
        note=TEXT_OR_NULL,
        truncated=given(args=_FLAG, result=_FLAG),
        prompt=nullable(reference("PromptView")),
        attempts=list_of(given(number=NUMBER, error=TEXT_OR_NULL, began_ms=NUMBER_OR_NULL, duration_ms=NUMBER_OR_NULL)),
        queue=given(wait_ms=NUMBER, run_ms=NUMBER),
        place=nullable(given(**_PLACE)),
        source=nullable(given(first_line=NUMBER, lines=list_of(TEXT), **_PLACE)),
        children=given(lanes=list_of(TEXT), calls=NUMBER),
        question=nullable(reference("Question")),
        stream=nullable(given(text=TEXT, live=_FLAG)),
        **_CALL,
    ),
    "PromptView": given(
        model=TEXT_OR_NULL,
        messages=list_of(given(role=TEXT, content=ANY)),
        tools=nullable(list_of(_OBJECT)),
        options=_OBJECT,
        answer=TEXT_OR_NULL,
        tool_calls=list_of(ANY),
        stop_reason=TEXT_OR_NULL,
        input_tokens=NUMBER_OR_NULL,
        output_tokens=NUMBER_OR_NULL,
        cost_usd=_MONEY,
        cost=TEXT,
        provider=TEXT_OR_NULL,
    ),
}
