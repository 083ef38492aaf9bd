"""The family of a session as clients see it."""

from collections import deque
from pathlib import PurePath

from ..family_tree import Family, FamilyNode
from ..history import current_status
from ..journal.call_count import recorded_calls
from ..journal.json_text import rfc3339
from ..journal.store import Store
from .views import View


def family_view(store: Store, family: Family) -> View:
    """``{root, more}``: the tree of the runs, each with its ``forks``."""
    root = _node(store, family.root)
    waiting = deque([(family.root, root)])
    while waiting:
        node, view = waiting.popleft()
        for child in node.children:
            shown = _node(store, child)
            view["forks"].append(shown)
            waiting.append((child, shown))
    return {"root": root, "more": family.more}


def _node(store: Store, node: FamilyNode) -> View:
    meta = node.meta
    if meta is None:
        nothing = dict.fromkeys(("status", "agent", "created_at", "at_seq", "note"))
        return {
            "id": node.id,
            **nothing,
            "replay": False,
            "call_count": 0,
            "live_calls": 0,
            "missing": True,
            "forks": [],
        }
    came_from, calls = meta.branch or meta.lineage, recorded_calls(store, meta)
    return {
        "id": meta.id,
        "status": current_status(store, meta),
        "agent": PurePath(meta.agent).name,
        "created_at": rfc3339(meta.created_at_ms),
        "at_seq": None if came_from is None else came_from["at_seq"],
        "replay": meta.branch is not None and meta.branch["at_seq"] is None,
        "note": None if came_from is None else came_from.get("note"),
        "call_count": calls,
        "live_calls": max(0, calls - meta.replayed_calls),
        "missing": False,
        "forks": [],
    }
