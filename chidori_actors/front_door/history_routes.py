"""The past of a session: replayed to a point, branched off, compared, and where it comes from (the console's API)."""

import asyncio
from collections import OrderedDict

from aiohttp import web

from ..branch_points import Edit, find_branch_point
from ..branch_preview import BranchPreview, preview_branch
from ..call_labels import short_args
from ..errors import RunNotFound
from ..family_tree import enter_all, family_of
from ..inspection.call_detail import call_detail
from ..inspection.comparison import UNCHANGED, Comparison, compare_outputs, compare_runs, diff_calls, pair_rows
from ..inspection.picture import RunPicture
from ..inspection.pictured import LABEL_LENGTH, PicturedCall
from ..inspection.pictures import Pictures
from ..journal.call_count import recorded_calls
from ..journal.json_text import parse_json
from ..journal.lanes import Started
from ..journal.runs import RunMeta
from ..resumption import check_continuable, recorded_bundle
from ..runtime import Runtime
from ..shell_commands import ShellCommands
from .agents import Agents
from .edits import read_edit
from .family_view import family_view
from .inspection_routes import LATEST, query_number
from .presence import while_connected
from .refusal import Refused, not_found
from .request_body import read_fields
from .session_list import SessionList, list_item
from .session_routes import answer
from .sessions import Sessions
from .slots import Slots
from .verifying import Verifications
from .views import View, raw_json

MOST_ROWS, ROWS = 500, 200
_KEPT, _KEPT_SECONDS = 4, 60.0
"""So many comparisons are kept, so long, whose pages somebody may turn."""


class HistoryRoutes:
    """The handlers, by the names that the route table has for them. Verifications take ``slots``."""

    def __init__(self, runtime: Runtime, sessions: Sessions, agents: Agents, pictures: Pictures, slots: Slots) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._sessions = sessions
        self._pictures = pictures
        self._list = SessionList(runtime.store, sessions.runs)
        self._verifications = Verifications(runtime, agents, slots)
        self._commands = ShellCommands(runtime.settings)
        self._compared: OrderedDict[tuple[str, str], Comparison] = OrderedDict()
        self._forgetting: asyncio.TimerHandle | None = None

    # -- replayed to a point ----------------------------------------------------------------------------------------

    async def verify_session(self, request: web.Request) -> web.Response:
        meta = self._sessions.meta(request.match_info["id"])
        fields = await read_fields(request, optional=True)
        until, current = fields.optional_number("until"), fields.flag("current_source")
        return answer(200, await while_connected(request, self._verifications.verify(meta, until, current=current)))

    # -- branched off -----------------------------------------------------------------------------------------------

    async def preview_branch(self, request: web.Request) -> web.Response:
        meta = self._sessions.meta(request.match_info["id"])
        edit = read_edit(await read_fields(request))
        check_continuable(meta, self._runtime.settings)
        recorded_bundle(self._store, meta)
        point = await find_branch_point(self._store, meta, edit)
        view = _preview_view(preview_branch(point))
        return answer(
            200,
            {
                "at": edit.at,
                "shared_calls": point.shared_calls,
                "origin_run_id": point.origin.meta.id,
                **view,
                "command": self._commands("branch", meta.id, *_branch_options(edit)),
            },
        )

    async def get_forks(self, request: web.Request) -> web.Response:
        meta = self._sessions.meta(request.match_info["id"])
        await enter_all(self._store)
        return answer(200, family_view(self._store, await family_of(self._store, meta)))

    async def get_commands(self, request: web.Request) -> web.Response:
        meta = self._sessions.meta(request.match_info["id"])
        commands = [{"title": title, "command": command} for title, command in self._commands.of_run(meta)]
        return answer(200, {"commands": commands})

    # -- compared ---------------------------------------------------------------------------------------------------

    async def compare_sessions(self, request: web.Request) -> web.Response:
        offset = query_number(request, "offset", 0, LATEST)
        limit, only = query_number(request, "limit", ROWS, MOST_ROWS, least=1), request.query.get("only", "all")
        if only not in ("all", "changed"):
            raise Refused(422, "`only` must be all or changed")
        left, right = await self._pair(request)
        comparison = await while_connected(request, self._comparison(left, right))
        pairs = [pair for pair in comparison.pairs if only == "all" or pair.kind not in UNCHANGED]
        counts, lines = comparison.counts, compare_outputs(left.run, right.run)
        one, other = left.run.output, right.run.output
        return answer(
            200,
            {
                "left": self._item(left.run),
                "right": self._item(right.run),
                "shared": counts.get("shared", 0),
                "counts": {kind: counts.get(kind, 0) for kind in ("same", "changed", "left_only", "right_only")},
                "total": len(pairs),
                "offset": offset,
                "rows": await pair_rows(self._store, left, right, pairs[offset : offset + limit]),
                "output": {
                    "same": one == other,
                    "left": raw_json(one),
                    "right": raw_json(other),
                    "lines": lines.to_json(),
                    "cut": lines.is_cut,
                },
            },
        )

    async def compare_calls(self, request: web.Request) -> web.Response:
        path = request.query.get("path", "")
        pictures = await self._pair(request)
        calls = [_call_at(picture, path) for picture in pictures]
        if calls == [None, None]:
            raise Refused(404, f"neither session has a call at {path}")
        args, result = diff_calls(self._store, *calls)
        left, right = (
            None if call is None else call_detail(self._store, picture, call, None) | {"question": None}
            for picture, call in zip(pictures, calls, strict=True)
        )
        cut = args.is_cut or result.is_cut
        return answer(
            200, {"left": left, "right": right, "args": args.to_json(), "result": result.to_json(), "cut": cut}
        )

    def _item(self, meta: RunMeta) -> View:
        return list_item(self._list.standing(meta), recorded_calls(self._store, meta))

    async def _pair(self, request: web.Request) -> tuple[RunPicture, RunPicture]:
        return await self._picture(request.match_info["id"]), await self._picture(request.match_info["other"])

    async def _picture(self, session_id: str) -> RunPicture:
        session = await self._sessions.live(session_id)
        self._sessions.meta(session_id)
        try:
            return await self._pictures.read(session_id, session)
        except RunNotFound as error:
            raise not_found() if session_id in str(error) else error from None

    async def _comparison(self, left: RunPicture, right: RunPicture) -> Comparison:
        ids = left.run.id, right.run.id
        known = self._compared.get(ids)
        if known is None or known.versions != (left.version, right.version):
            known = await compare_runs(self._store, left, right)
        self._compared[ids] = known
        self._compared.move_to_end(ids)
        if len(self._compared) > _KEPT:
            self._compared.popitem(last=False)
        # They hold the calls of both runs.
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._forgetting = asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._compared.clear)
        return known


def _preview_view(preview: BranchPreview) -> View:
    after = preview.after.to_json()
    return {
        "in_flight": [_call_view(call) for call in preview.in_flight],
        "after": {
            "calls": preview.after.calls.total(),
            "functions": after["calls"],
            **{name: after[name] for name in ("input_tokens", "output_tokens", "cost_usd", "cost")},
        },
        "side_effects": [_call_view(call) for call in preview.side_effects],
        "result_kind": preview.kind,
        "choices": preview.choices,
    }


def _call_view(call: Started) -> View:
    label = short_args(call.function, parse_json(call.args), LABEL_LENGTH)
    return {"seq": call.seq, "function": call.function, "label": label}


def _branch_options(edit: Edit) -> list[str]:
    outcome = ["--result", edit.result.decode()] if edit.result is not None else ["--error", str(edit.error)]
    return ["--at", str(edit.at), *outcome, *(() if edit.note is None else ("--note", edit.note))]


def _call_at(picture: RunPicture, path: str) -> PicturedCall | None:
    return next((call for call in picture.contents.listed if call.path == path), None)
