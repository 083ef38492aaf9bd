"""``memory`` over a memory in a dict; the store's own is tested with the journal."""

from pathlib import Path
from typing import Any

import pytest

from chidori_actors.host.function import HostError, HostServices
from chidori_actors.host.memory import FUNCTION
from tests.support.services import make_services, run_function


@pytest.fixture
def services(tmp_path: Path) -> HostServices:
    return make_services(tmp_path)


async def memory(services: HostServices, action: object, key: object = None, **args: Any) -> Any:
    return await run_function(FUNCTION, {"action": action, "key": key, **args}, services)


async def test_a_value_is_set_read_and_deleted(services: HostServices) -> None:
    assert await memory(services, "get", "k") is None
    assert await memory(services, "set", "k", value={"a": [1, None, "ü"]}) is None
    assert await memory(services, "get", "k") == {"a": [1, None, "ü"]}
    assert await memory(services, "delete", "k") is True
    assert await memory(services, "delete", "k") is False
    assert await memory(services, "get", "k") is None


@pytest.mark.parametrize("value", [False, 0, "", None])
async def test_falsy_values_are_values(services: HostServices, value: object) -> None:
    await memory(services, "set", "k", value=value)
    assert await memory(services, "get", "k") == value
    assert await memory(services, "list") == ["k"]


async def test_list_gives_keys_or_pairs_by_prefix(services: HostServices) -> None:
    for key in ("b1", "a2", "a1"):
        await memory(services, "set", key, value=key.upper())
    assert await memory(services, "list") == ["a1", "a2", "b1"]
    assert await memory(services, "list", prefix="a") == ["a1", "a2"]
    pairs = await memory(services, "list", prefix="a", values=True)
    assert pairs == [{"key": "a1", "value": "A1"}, {"key": "a2", "value": "A2"}]


async def test_namespaces_are_apart_and_clear_counts(services: HostServices) -> None:
    for key in ("a1", "a2", "b1"):
        await memory(services, "set", key, value=1, namespace="other")
    await memory(services, "set", "a1", value=1)
    assert await memory(services, "clear", namespace="other", prefix="a") == 2
    assert await memory(services, "list", namespace="other") == ["b1"]
    assert await memory(services, "clear", namespace="other") == 1
    assert await memory(services, "list") == ["a1"]


def test_the_record_has_every_field_of_the_contract() -> None:
    assert FUNCTION.record_args is not None
    assert FUNCTION.record_args({"action": "list"}, None) == {
        "action": "list",
        "key": None,
        "namespace": "default",
        "prefix": None,
        "value": None,
    }
    assert FUNCTION.record_args({"action": "list", "values": True}, None)["values"] is True
    assert FUNCTION.policy_target({}) == "memory"
    assert FUNCTION.finishes


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"action": "push"}, "unknown action 'push'; use one of: set, get, delete, list, clear"),
        ({"action": ["set"]}, "unknown action"),
        ({"action": "get"}, "get needs a key, a string that is not empty"),
        ({"action": "set", "key": ""}, "set needs a key"),
        ({"action": "set", "key": "ü" * 2049}, "the key is longer than 4096 bytes"),
        ({"action": "list", "namespace": ""}, "list needs a namespace"),
        ({"action": "list", "prefix": 1}, "list needs a prefix"),
        ({"action": "set", "key": "k", "value": nested(300)}, "the value cannot be stored"),
    ],
)
async def test_bad_arguments_are_named(services: HostServices, args: dict[str, Any], message: str) -> None:
    with pytest.raises(HostError, match=message):
        await run_function(FUNCTION, args, services)
