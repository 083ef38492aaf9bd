"""The tree of a run's actors and calls, cut to the lines that there are: what waits, failed or is under way first, then
what is newest. The rest is counted."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from ..clipping import clip
from ..inspection.picture import RunPicture
from ..inspection.pictured import PicturedCall, PicturedLane, State
from .call_words import failure_text, waits_for
from .plain_text import counted, elapsed_text

Item = PicturedCall | PicturedLane
"""What has a line: a call, or the lane of a branch. The calls of a sub-agent or a tool stand below the call of it."""

_DEEPEST = 12
_ERROR_LENGTH = 200
_STATES: Sequence[State] = ("failed", "waiting", "running", "cancelled", "done")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the view; the ``state`` decides about its mark and its colour. ``whole``: it must not be cut."""

    text: str
    state: State | None = None
    depth: int = 0
    whole: bool = False


def states_text(counts: Counter[State]) -> str:
    """``1 failed, 2 running, 30 done``."""
    return ", ".join(f"{counts[state]} {state}" for state in _STATES if counts[state])


class LiveTree:
    """One look at a picture. ``place`` gives ``file:line:column`` of a call in its agent's source, or nothing."""

    def __init__(self, picture: RunPicture, place: Callable[[PicturedCall], str]) -> None:
        self._picture = picture
        self._place = place
        self._lanes: defaultdict[Item | None, list[PicturedLane]] = defaultdict(list)
        self._branches: defaultdict[Item | None, list[PicturedLane]] = defaultdict(list)
        for lane in picture.contents.ordered:
            self._lanes[_owner(lane)].append(lane)
            if _is_branch(lane):
                self._branches[lane.parent].append(lane)

    def choose(self, room: int) -> set[Item]:
        """What is to be shown in so many lines."""
        chosen: set[Item] = set()
        shown: Counter[Item | None] = Counter()
        left = room - self._folds(None, 0) - self._at_work(self._picture.contents.root)
        refused = 0
        for item in self._wanted(room):
            missing = [each for each in _upwards(item) if each not in chosen]  # it stands below these
            price = 0
            for each in missing:
                parent = _parent(each)
                price += 1 + self._folds(parent, shown[parent] + 1) - self._folds(parent, shown[parent])
                shown[parent] += 1
            if price > left:
                shown.subtract(_parent(each) for each in missing)
                refused += 1
                if refused > room:
                    break
                continue
            left -= price
            chosen.update(missing)
            if not left:
                break
        return chosen

    def lines(self, chosen: set[Item], now_ms: int) -> Iterator[Line]:
        """The lines of what was chosen; ``now_ms`` is until when it has taken what is under way."""
        waiting: list[tuple[int, Item | None]] = [(-1, None)]
        while waiting:
            depth, item = waiting.pop()
            if item is not None:
                yield self._line(item, min(depth, _DEEPEST), now_ms)
            within = [each for each in self._children(item) if each in chosen]
            if self._folds(item, len(within)):
                yield self._fold(item, chosen, min(depth + 1, _DEEPEST))
            waiting += ((depth + 1, each) for each in reversed(within))
        if step := self._next_step(self._picture.contents.root, now_ms):
            yield Line(step, "running")

    def _children(self, item: Item | None) -> list[Item]:
        calls = (call for lane in self._lanes.get(item, ()) for call in lane.calls.values())
        return sorted(chain(calls, self._branches.get(item, ())), key=_order)

    def _count(self, item: Item | None) -> int:
        return sum(len(lane.calls) for lane in self._lanes.get(item, ())) + len(self._branches.get(item, ()))

    def _folds(self, item: Item | None, shown: int) -> bool:
        """Whether a line below ``item`` counts what is not shown of it. Others than the root and the containers of
        branches say themselves how many calls they have."""
        if item is not None and not (shown and item in self._branches):
            return False
        return shown < self._count(item)

    def _fold(self, item: Item | None, chosen: set[Item], depth: int) -> Line:
        hidden = [each for each in self._children(item) if each not in chosen]
        counts = Counter(self._state(each) for each in hidden)
        nouns = Counter("branch" if isinstance(each, PicturedLane) else "call" for each in hidden)
        what = " and ".join(f"{count} {_plural(noun, count)}" for noun, count in sorted(nouns.items()))
        return Line(f"… {what}: {states_text(counts)}", None, depth)

    def _state(self, item: Item) -> State:
        picture = self._picture
        return picture.lane_state(item) if isinstance(item, PicturedLane) else picture.state(item)

    def _wanted(self, room: int) -> Iterator[Item]:
        """What people want to see, the most wanted first. A quarter each is for what waits and for what failed."""
        contents, picture = self._picture.contents, self._picture
        open_calls = [call for lane in contents.ordered for call in lane.open.values()]
        asked = {question["seq"] for question in picture.questions}
        waiting = [call for call in open_calls if call.seq in asked]
        failed = list(islice((call for call in reversed(contents.listed) if call.ended == "failed"), room))
        at_work: list[Item] = [call for call in open_calls if not self._count(call)]
        at_work += (lane for lane in contents.ordered if _is_branch(lane) and not lane.open and self._is_open(lane))
        at_work.sort(key=_begin, reverse=True)
        yield from waiting[: max(1, room // 4)]
        yield from failed[: max(1, room // 4)]
        yield from at_work
        yield from waiting
        yield from failed
        yield from (call for call in reversed(contents.listed) if call.lane.ended is None)
        yield from (lane for lane in reversed(contents.ordered) if _is_branch(lane))
        yield from reversed(contents.listed)

    def _is_open(self, lane: PicturedLane) -> bool:
        return self._picture.lane_state(lane) in ("running", "waiting")

    # -- a line ------------------------------------------------------------------------------------------------------

    def _line(self, item: Item, depth: int, now_ms: int) -> Line:
        state = self._state(item)
        if isinstance(item, PicturedLane):
            words = self._branch_words(item, state, now_ms)
        else:
            words = self._call_words(item, state, now_ms)
        return Line("  ".join(word for word in words if word), state, depth)

    def _branch_words(self, lane: PicturedLane, state: State, now_ms: int) -> Iterable[str]:
        assert lane.meta is not None  # only the root has none
        end_ms = now_ms if self._is_open(lane) else max(lane.begin_ms, lane.last_ms)
        yield f"b{lane.meta.index} {state} {elapsed_text(end_ms - lane.begin_ms)}"
        yield counted(len(lane.calls), "call")
        yield self._next_step(lane, now_ms)
        if state == "failed" and lane.meta.error is not None:
            yield failure_text(str(lane.meta.error.get("message", "")), _ERROR_LENGTH)

    def _call_words(self, call: PicturedCall, state: State, now_ms: int) -> Iterable[str]:
        taken = elapsed_text((now_ms if call.end_ms is None else call.end_ms) - call.begin_ms)
        yield f"#{call.seq} {clip(call.function)} {self._word(call, state)} {taken}"
        if state == "failed":
            yield self._place(call)
            yield failure_text(call.error or "", _ERROR_LENGTH)
        if branches := len(self._branches.get(call, ())):
            yield f"{branches} {_plural('branch', branches)}"
        elif inside := self._count(call):
            yield counted(inside, "call")
        yield from (self._next_step(lane, now_ms) for lane in self._lanes.get(call, ()))
        if call.input_tokens is not None or call.output_tokens is not None:
            yield f"{call.input_tokens or 0} in/{call.output_tokens or 0} out"
        if not branches:  # of these its label tells the number
            yield call.label or ""

    def _next_step(self, lane: PicturedLane, now_ms: int) -> str:
        """For how long a lane is at something of which the store does not know yet."""
        return f"next step {elapsed_text(now_ms - max(lane.last_ms, lane.begin_ms))}" if self._at_work(lane) else ""

    def _at_work(self, lane: PicturedLane) -> bool:
        # A call that may be repeated gets to the store when it takes long, or with what comes next.
        return self._picture.live and not lane.open and self._picture.lane_state(lane) == "running"

    def _word(self, call: PicturedCall, state: State) -> str:
        if state == "waiting":
            kinds = (question["kind"] for question in self._picture.questions if question["seq"] == call.seq)
            return next((waits_for(kind) for kind in kinds), "waits")
        return f"{state} (recorded)" if self._picture.contents.is_recorded(call) else state


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}es" if noun == "branch" else f"{noun}s"


def _is_branch(lane: PicturedLane) -> bool:
    return lane.meta is not None and lane.meta.kind == "branch"


def _owner(lane: PicturedLane) -> Item | None:
    """Below what the calls of a lane stand; None: at the top."""
    return lane if _is_branch(lane) else lane.parent


def _parent(item: Item) -> Item | None:
    return item.parent if isinstance(item, PicturedLane) else _owner(item.lane)


def _upwards(item: Item) -> Iterator[Item]:
    """From the item to the one at the top."""
    each: Item | None = item
    while each is not None:
        yield each
        each = _parent(each)


def _order(item: Item) -> tuple[int, int]:
    return item.place if isinstance(item, PicturedLane) else (item.seq, 0)


def _begin(item: Item) -> int:
    return item.begin_ms
