"""JSON schemas of what the server tells of a session's past and of the runs it is related to, by name."""

from collections.abc import Mapping
from typing import get_args

from ..edited_results import ResultKind
from ..history import INTERRUPTED
from ..journal.runs import Status
from .schemas import (
    ANY,
    FLAG_OR_NULL,
    NUMBER,
    NUMBER_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    given,
    list_of,
    nullable,
    reference,
)

_FLAG: Schema = {"type": "boolean"}
_MONEY: Schema = {"type": ["number", "null"], "minimum": 0}
_PLACE = {"path": TEXT, "line": NUMBER, "column": NUMBER}
_CALL = given(function=TEXT, args=ANY)
_NAMED_CALL = given(seq=NUMBER, function=TEXT, label=TEXT)
_LINES = list_of(given(op={"type": "string", "enum": [" ", "-", "+"]}, text=TEXT))
_KIND: Schema = {"type": "string", "enum": ["shared", "same", "changed", "left_only", "right_only"]}
_DIFFERS: Schema = {"type": "string", "enum": ["function", "args", "result", "error", "state"]}
_CALL_OR_NULL = nullable(reference("CallRow"))
_DETAIL_OR_NULL = nullable(reference("CallDetail"))

HISTORY_SCHEMAS: Mapping[str, Schema] = {
    "Verify": {"type": "object", "properties": {"until": NUMBER_OR_NULL, "current_source": FLAG_OR_NULL}},
    "Verified": given(
        status={"type": "string", "enum": ["reached", "completed", "failed", "record_ended", "diverged"]},
        recorded=NUMBER,
        live={"const": 0},
        seq=NUMBER_OR_NULL,
        output=ANY,
        output_matches=FLAG_OR_NULL,
        error=TEXT_OR_NULL,
        printed=list_of(given(level=TEXT, text=TEXT)),
        divergence=nullable(reference("Divergence")),
    ),
    "Divergence": given(
        seq=NUMBER,
        message=TEXT,
        place=nullable(given(**_PLACE)),
        source=nullable(given(first_line=NUMBER, lines=list_of(TEXT), **_PLACE)),
        recorded=nullable(_CALL),
        attempted=nullable(_CALL),
        difference=nullable(given(path=TEXT, recorded=ANY, attempted=ANY)),
    ),
    "BranchPreview": given(
        at=NUMBER,
        shared_calls=NUMBER,
        in_flight=list_of(_NAMED_CALL),
        after=given(
            calls=NUMBER,
            functions={"type": "object", "additionalProperties": NUMBER},
            input_tokens=NUMBER,
            output_tokens=NUMBER,
            cost_usd=_MONEY,
            cost=TEXT,
        ),
        side_effects=list_of(_NAMED_CALL),
        origin_run_id=TEXT,
        result_kind={"type": "string", "enum": list(get_args(ResultKind))},
        choices=nullable(list_of(TEXT)),
        command=TEXT,
    ),
    "Family": given(root=reference("FamilyMember"), more=_FLAG),
    "FamilyMember": given(
        id=TEXT,
        status={"type": ["string", "null"], "enum": [*get_args(Status), INTERRUPTED, None]},
        agent=TEXT_OR_NULL,
        created_at=TEXT_OR_NULL,
        at_seq=NUMBER_OR_NULL,
        replay=_FLAG,
        note=TEXT_OR_NULL,
        call_count=NUMBER,
        live_calls=NUMBER,
        missing=_FLAG,
        forks=list_of(reference("FamilyMember")),
    ),
    "Comparison": given(
        left=reference("SessionListItem"),
        right=reference("SessionListItem"),
        shared=NUMBER,
        counts=given(same=NUMBER, changed=NUMBER, left_only=NUMBER, right_only=NUMBER),
        total=NUMBER,
        offset=NUMBER,
        rows=list_of(given(path=TEXT, kind=_KIND, differs=list_of(_DIFFERS), left=_CALL_OR_NULL, right=_CALL_OR_NULL)),
        output=given(same=_FLAG, left=ANY, right=ANY, lines=_LINES, cut=_FLAG),
    ),
    "CallComparison": given(left=_DETAIL_OR_NULL, right=_DETAIL_OR_NULL, args=_LINES, result=_LINES, cut=_FLAG),
    "Commands": given(commands=list_of(given(title=TEXT, command=TEXT))),
}
