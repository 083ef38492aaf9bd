"""Placement and bookkeeping, without a cluster."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import registry as registry_module
from actors.bookings import CERTAIN_S
from actors.config import ClusterConfig, Need
from actors.growth import ANY, Start
from actors.nodes import Node
from actors.registry import IDLE_S, PROMISE_S, STUCK_S, Registry
from actors.work import Work
from chidori_actors.errors import ChidoriError, UsageError


@dataclass(frozen=True, slots=True)
class _Work:
    run_id: str


def _work(run_id: str) -> Work:
    return cast(Work, _Work(run_id))


def _node(name: str, cpus: float = 2, **custom: float) -> Node:
    return Node(name, f"address-of-{name}", f"hostname-of-{name}", {"CPU": cpus, **custom})


def _registry(*nodes: Node, **options: Any) -> Registry:
    registry = Registry(ClusterConfig(store=Path("/store"), **options))
    registry.see_nodes(nodes)
    return registry


def _grow(registry: Registry) -> list[str]:
    """Start what is wanted; the new hosts' names."""
    names = []
    for start in registry.wanted():
        name = f"host-{len(registry.hosts)}-{start.node}"
        registry.starting(name, start)
        registry.up(name, 0.0)
        names.append(name)
    return names


def _place(registry: Registry, client: str, count: int, need: Need = ANY) -> list[str]:
    """What is given at once."""
    request = registry.ask(client, count, need)
    return {served.number: names for served, names in registry.serve(0.0)}.get(request.number, [])


def test_ten_actors_on_three_empty_hosts_are_spread_evenly() -> None:
    registry = _registry(_node("a"), hosts=3)
    _grow(registry)
    placed = _place(registry, "front", 10)
    assert sorted(Counter(placed).values()) == [3, 3, 4]
    assert len(set(placed[:3])) == 3


def test_the_next_actor_goes_to_another_node() -> None:
    registry = _registry(_node("a"), _node("b"), hosts=4)
    _grow(registry)
    nodes = [registry.hosts[name].node for name in (_place(registry, "front", 1)[0] for _ in range(4))]
    assert nodes[0] != nodes[1]
    assert nodes[2] != nodes[3]


def test_every_core_has_a_host_and_a_new_node_gets_its_own() -> None:
    registry = _registry(_node("a", 2))
    assert registry.wanted() == [Start("a", ANY), Start("a", ANY)]
    _grow(registry)
    registry.see_nodes([_node("a", 2), _node("b", 3)])
    assert registry.wanted() == [Start("b", ANY)] * 3


def test_a_node_without_cpus_has_no_hosts_unless_all_are_so() -> None:
    assert {start.node for start in _registry(_node("head", 0), _node("b", 2)).wanted()} == {"b"}
    assert {start.node for start in _registry(_node("head", 0)).wanted()} == {"head"}


def test_given_hosts_are_spread_over_the_nodes() -> None:
    starts = _registry(_node("a", 8), _node("b", 1), hosts=4).wanted()
    assert Counter(start.node for start in starts) == {"a": 2, "b": 2}


def test_hosts_are_added_for_those_who_wait_up_to_the_bound() -> None:
    registry = _registry(_node("a"), hosts=1, max_hosts=3, actors_per_host=2)
    _grow(registry)
    assert len(_place(registry, "front", 2)) == 2
    registry.ask("front", 3, ANY)
    registry.ask("front", 50, ANY)
    assert len(registry.wanted()) == 2
    _grow(registry)
    assert [len(names) for _, names in registry.serve(0.0)] == [3, 1]
    assert registry.wanted() == []


def test_hosts_that_were_added_end_when_they_are_idle() -> None:
    registry = _registry(_node("a"), hosts=1, max_hosts=2, actors_per_host=1)
    _grow(registry)
    home = _place(registry, "front", 1)[0]
    registry.drives(home, _work("run"), 0.0)
    registry.ask("front", 1, ANY)
    (added,) = _grow(registry)
    registry.serve(0.0)
    registry.drives(added, _work("other"), 0.0)
    registry.rests(added, "other", 5.0)
    assert registry.idle(5.0 + IDLE_S - 1) == []
    assert registry.idle(5.0 + IDLE_S) == [added]
    assert _place(registry, "front", 1) == []


def test_what_a_run_under_way_asks_for_comes_before_new_runs_and_else_the_first_is_first() -> None:
    registry = _registry(_node("a"), hosts=1, max_hosts=1, actors_per_host=2)
    (host,) = _grow(registry)
    _place(registry, "front", 2)
    registry.drives(host, _work("a"), 0.0)
    registry.drives(host, _work("b"), 0.0)
    asked = [registry.ask(client, 1, ANY).number for client in ("front-1", "front-2", host)]
    order = []
    for run in ("a", "b"):
        registry.rests(host, run, 0.0)
        order += [request.number for request, _ in registry.serve(0.0)]
    assert order == [asked[2], asked[0]]
    registry.release(host, {host: 1}, 0.0)
    assert [request.number for request, _ in registry.serve(0.0)] == [asked[1]]


def test_a_host_that_cannot_reach_the_journal_takes_nothing() -> None:
    registry = _registry(_node("a"), hosts=2, max_hosts=2)
    first, second = _grow(registry)
    registry.observe(first, {}, 0.0, journal_reachable=False)
    assert _place(registry, "front", 3) == [second] * 3
    registry.observe(first, {}, 0.0)
    assert _place(registry, "front", 3) == [first] * 3


def test_a_cluster_full_of_parents_gives_one_more_place_when_nothing_else_becomes_free() -> None:
    registry = _registry(_node("a"), hosts=1, max_hosts=1, actors_per_host=1)
    (host,) = _grow(registry)
    assert _place(registry, "front", 1) == [host]
    registry.drives(host, _work("run"), 10.0)
    waits = registry.ask(host, 2, ANY)
    registry.ask("front", 1, ANY)
    assert registry.serve(10.0) == []
    assert not registry.unblock(STUCK_S - 0.1)
    assert registry.unblock(STUCK_S)
    assert registry.serve(STUCK_S) == [(waits, [host])], "never for new runs"
    registry.ask(host, 3, ANY)
    assert not registry.unblock(STUCK_S + 1.0), "nothing became free, but it was not so for long"
    registry.release(host, {host: 1}, STUCK_S + 2.0)
    assert [names for _, names in registry.serve(STUCK_S + 2.0)] == [[host]], "the room stays"
    registry.ask(host, 3, ANY)
    assert not registry.unblock(2 * STUCK_S + 1.0), "something became free meanwhile"
    assert registry.unblock(2 * STUCK_S + 2.0)
    assert [names for _, names in registry.serve(3 * STUCK_S)] == [[host]]


def test_a_full_cluster_with_a_long_queue_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "MOST_WAITING", 2)
    registry = _registry(_node("a"), hosts=1, max_hosts=1, actors_per_host=1)
    (host,) = _grow(registry)
    _place(registry, "front", 1)
    _place(registry, "front", 1)
    _place(registry, "front", 1)
    with pytest.raises(ChidoriError, match="the cluster is full: 1 host") as refused:
        registry.ask("front", 1, ANY)
    assert refused.value.hint is not None
    registry.ask(host, 1, ANY)


def test_room_that_a_front_does_not_use_is_free_again() -> None:
    registry = _registry(_node("a"), hosts=1, max_hosts=1, actors_per_host=1)
    (host,) = _grow(registry)
    _place(registry, "front", 1)
    registry.expire(PROMISE_S - 1)
    assert _place(registry, "front", 1) == []
    registry.expire(PROMISE_S)
    assert [names for _, names in registry.serve(PROMISE_S)] == [[host]]


def test_a_lost_host_leaves_its_runs_homeless_and_its_bookings_free() -> None:
    registry = _registry(_node("a"), hosts=2)
    home, other = _grow(registry)
    registry.drives(home, _work("run"), 0.0)
    placed = Counter(_place(registry, home, 9))
    assert placed[other] > 0
    assert registry.lose(home, 0.0) == ["run"]
    assert registry.runs["run"].host is None
    assert registry.hosts[other].actors == 0
    assert registry.lose(home, 0.0) == []


def test_a_run_that_moved_does_not_rest_where_it_was() -> None:
    registry = _registry(_node("a"), hosts=2)
    old, new = _grow(registry)
    registry.drives(old, _work("run"), 0.0)
    registry.drives(new, _work("run"), 0.0)
    assert not registry.rests(old, "run", 0.0)
    assert registry.runs["run"].host == new
    assert (registry.hosts[old].actors, registry.hosts[new].actors) == (0, 1)


def test_a_drained_node_takes_nothing() -> None:
    registry = _registry(_node("a"), _node("b"), hosts=4)
    _grow(registry)
    registry.drain("a")
    assert {registry.hosts[name].node for name in _place(registry, "front", 20)} == {"b"}
    assert {start.node for start in registry.wanted()} == {"b"}


def test_actors_with_needs_get_hosts_of_their_own_where_there_is_what_they_need() -> None:
    need = Need(gpus=1, custom=(("disk", 2.0),))
    registry = _registry(_node("a"), _node("b", GPU=2, disk=3), hosts=1)
    _grow(registry)
    first, second = registry.ask("front", 1, need), registry.ask("front", 1, need)
    assert registry.wanted() == [Start("b", need)]
    _grow(registry)
    ((request, (name,)),) = registry.serve(0.0)
    assert request == first
    assert registry.wanted() == []
    registry.drives(name, _work("run"), 0.0)
    registry.rests(name, "run", 0.0)
    assert [request for request, _ in registry.serve(0.0)] == [second]


def test_an_idle_host_with_resources_gives_them_to_others_at_once() -> None:
    registry = _registry(_node("a", GPU=1), hosts=1)
    _grow(registry)
    registry.ask("front", 1, Need(gpus=1))
    (host,) = _grow(registry)
    registry.serve(0.0)
    registry.expire(PROMISE_S)
    registry.ask("front", 1, Need(gpus=0.5))
    assert registry.wanted() == []
    assert registry.idle(PROMISE_S) == [host]
    registry.lose(host, PROMISE_S)
    assert registry.wanted() == [Start("a", Need(gpus=0.5))]


def test_what_no_node_has_is_refused_with_what_they_have() -> None:
    registry = _registry(_node("a"), _node("b", GPU=1))
    with pytest.raises(ChidoriError, match=r"has 2 GPU: address-of-a has 2 CPU, 0 GPU; address-of-b has 2 CPU, 1 GPU"):
        registry.ask("front", 1, Need(gpus=2))


def test_nodes_are_named_by_id_address_or_host_name() -> None:
    registry = _registry(_node("abc1"), _node("abd2"))
    assert registry.find_node("abc").id == "abc1"
    assert registry.find_node("address-of-abd2").id == "abd2"
    assert registry.find_node("hostname-of-abc1").id == "abc1"
    with pytest.raises(UsageError, match="'ab' names 2 nodes"):
        registry.find_node("ab")
    with pytest.raises(UsageError, match="no node of the cluster is ''"):
        registry.find_node("")


def test_a_supervisor_that_was_started_again_knows_what_runs_have_placed() -> None:
    registry = _registry(_node("a"), hosts=2)
    for name, runs in (("host-x", [_work("run")]), ("host-y", [])):
        registry.adopt(name, Start("a", ANY), runs, 0.0)
    for now in (0.0, CERTAIN_S):  # the first has said so already, while another was waited for
        registry.observe("host-x", {"host-y": 2}, now)
    registry.adopt_placed("host-x", {"host-x": 1, "host-y": 4, "host-that-died": 3}, CERTAIN_S)
    assert _actors(registry) == {"host-x": 2, "host-y": 4}
    registry.release("host-x", {"host-y": 1}, 0.0)
    assert _actors(registry) == {"host-x": 2, "host-y": 3}
    registry.lose("host-x", 0.0)
    assert _actors(registry) == {"host-y": 0}


def test_room_that_was_asked_for_twice_becomes_free_when_its_host_does_not_have_it() -> None:
    registry = _registry(_node("a"), hosts=2)
    home, other = _grow(registry)
    _place(registry, home, 6)
    held = Counter(_place(registry, home, 6))  # the answer to the first did not arrive
    for now in (0.0, 5.0, 10.0):
        registry.observe(home, held, now)
        assert _actors(registry) == {home: 6, other: 6}
    registry.observe(home, held, CERTAIN_S)
    assert _actors(registry) == {home: 3, other: 3}
    registry.release(home, held, CERTAIN_S)
    assert _actors(registry) == {home: 0, other: 0}


def test_what_was_given_back_twice_is_booked_again_and_what_was_given_back_in_vain_is_free() -> None:
    registry = _registry(_node("a"), hosts=2)
    home, other = _grow(registry)
    _place(registry, home, 8)
    for _ in range(2):
        registry.release(home, {home: 1}, 0.0)
    for now in (0.0, CERTAIN_S):
        registry.observe(home, {home: 3, other: 2, "host-that-died": 5}, now)
    assert _actors(registry) == {home: 3, other: 2}


def test_what_is_on_its_way_is_no_error() -> None:
    registry = _registry(_node("a"), hosts=1)
    (home,) = _grow(registry)
    for held in range(100):
        _place(registry, home, 1)
        registry.observe(home, {home: held}, float(held))
        assert _actors(registry) == {home: held + 1}
        if held % 5 == 4:  # the answer has come
            registry.observe(home, {home: held + 1}, float(held))


def test_a_front_that_will_not_use_what_it_was_promised_frees_it() -> None:
    registry = _registry(_node("a"), hosts=1, max_hosts=1, actors_per_host=1)
    (host,) = _grow(registry)
    _place(registry, "front", 1)
    registry.release("front", {host: 1}, 0.0)
    assert _place(registry, "front", 1) == [host]
    registry.drives(host, _work("run"), 0.0)
    registry.release("front", {host: 1}, 0.0)
    assert _actors(registry) == {host: 1}


def _actors(registry: Registry) -> dict[str, int]:
    return {host.name: host.actors for host in registry.hosts.values()}


_Step = tuple[str, int, int]
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(("front", "child", "release", "rest", "lose", "drain", "grow")),
        st.integers(0, 9),
        st.integers(1, 12),
    ),
    max_size=60,
)


@given(_STEPS, st.integers(1, 4), st.integers(1, 3))
def test_no_host_has_more_than_its_room_and_no_booking_is_lost(steps: list[_Step], room: int, hosts: int) -> None:
    model = _Model(_registry(_node("a"), _node("b"), hosts=hosts, actors_per_host=room))
    for step in steps:
        model.take(step)
        model.check(room)


class _Model:
    """What the bookings must be: each child as (home, host), each run by its host."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.children: list[tuple[str, str]] = []
        self.runs: dict[str, str] = {}
        self.asked: list[int] = []
        self.numbers = 0
        self.hosts = 0

    def take(self, step: _Step) -> None:
        kind, which, number = step
        names = sorted(self.registry.hosts)
        chosen = names[which % len(names)] if names else None
        if kind == "grow":
            self._grow()
        elif kind == "front":
            self.asked.append(self.registry.ask("front", number, ANY).number)
        elif kind == "child" and chosen:
            self.registry.ask(chosen, number, ANY)
        elif kind == "release" and self.children:
            home, host = self.children.pop(which % len(self.children))
            self.registry.release(home, {host: 1}, 0.0)
        elif kind == "rest" and self.runs:
            run = sorted(self.runs)[which % len(self.runs)]
            assert self.registry.rests(self.runs.pop(run), run, 0.0)
        elif kind == "lose" and chosen:
            self._lose(chosen)
        elif kind == "drain" and which == 0:
            self.registry.drain("a")
        self._serve()

    def _grow(self) -> None:
        for start in self.registry.wanted():
            self.hosts += 1
            name = f"host-{self.hosts:04}"
            self.registry.starting(name, start)
            self.registry.up(name, 0.0)

    def _lose(self, name: str) -> None:
        mine = sorted(run for run, host in self.runs.items() if host == name)
        assert self.registry.lose(name, 0.0) == mine
        self.runs = {run: host for run, host in self.runs.items() if host != name}
        self.children = [pair for pair in self.children if name not in pair]

    def _serve(self) -> None:
        served = self.registry.serve(0.0)
        fronts = [request.number for request, _ in served if request.client == "front"]
        assert fronts == self.asked[: len(fronts)]
        del self.asked[: len(fronts)]
        for request, names in served:
            assert 1 <= len(names) <= request.count
            for name in names:
                if request.client == "front":
                    self.numbers += 1
                    self.runs[f"run-{self.numbers}"] = name
                    self.registry.drives(name, _work(f"run-{self.numbers}"), 0.0)
                else:
                    self.children.append((request.client, name))

    def check(self, room: int) -> None:
        expected = Counter([*self.runs.values(), *(host for _, host in self.children)])
        assert {host.name: host.actors for host in self.registry.hosts.values() if host.actors} == dict(expected)
        assert all(count <= room for count in expected.values())
