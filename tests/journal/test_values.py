"""Images, bundles, memory and approvals in the store."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chidori_actors.errors import StoreError
from chidori_actors.journal.approvals import approval_write, get_approval
from chidori_actors.journal.bundles import bundle_write, get_bundle
from chidori_actors.journal.images import StoredImage, drop_images, image_write, newest_image
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.memory import StoredMemory
from chidori_actors.journal.store import Write

HEADER = {"golden_image": "ab", "engine_build": "cd", "memory_size": 1 << 20}


async def test_the_newest_image_up_to_a_bound_is_found_and_others_are_dropped(store: LocalStore) -> None:
    for lane, delivered in ((1, 3), (1, 300), (2, 7)):
        await store.commit([image_write(lane, delivered, HEADER, b"pages %d" % delivered)])
    assert newest_image(store, 1) == (StoredImage(1, 300, HEADER, b"pages 300"), [])
    assert newest_image(store, 1, at_most=299) == (StoredImage(1, 3, HEADER, b"pages 3"), [])
    assert newest_image(store, 1, at_most=2) == (None, [])
    assert newest_image(store, 3) == (None, [])
    await store.commit(drop_images(store, 1, after=299))
    assert newest_image(store, 1) == (StoredImage(1, 3, HEADER, b"pages 3"), [])
    await store.commit(drop_images(store, 1, after=-1))
    assert newest_image(store, 1) == (None, [])
    assert newest_image(store, 2)[0] is not None


async def test_a_mangled_image_is_passed_over_and_named(store: LocalStore) -> None:
    await store.commit([image_write(1, 3, HEADER, b"old")])
    good = image_write(1, 9, HEADER, b"new").value or b""
    other = image_write(1, 9, HEADER, b"not").value or b""
    spliced = good.partition(b"\n")[0] + b"\n" + other.partition(b"\n")[2]
    for mangled in (b"", b"\n", b"[]\n", b"{}\n", good[:-1], good[:20] + b"\n", spliced):
        await store.commit([Write("images", (1).to_bytes(8, "big") + (9).to_bytes(8, "big"), mangled)])
        image, rejected = newest_image(store, 1)
        assert image is not None
        assert image.payload == b"old"
        assert rejected == ["the image of lane 1 after 9 settlements is damaged and was not used"]


async def test_a_bundle_is_found_by_its_hash_and_a_missing_one_is_named(store: LocalStore) -> None:
    digest, write = bundle_write(b'{"entry": 1}')
    with pytest.raises(StoreError, match=r"the source bundle .* is missing"):
        get_bundle(store, digest)
    await store.commit([write])
    assert get_bundle(store, digest) == b'{"entry": 1}'


async def test_memory_belongs_to_its_namespace(store: LocalStore) -> None:
    memory = StoredMemory(store)
    big = b'"' + b"x" * 3_000_000 + b'"'
    await store.commit([memory.put("a", "k", b"1e21"), memory.put("b", "k", big), memory.put("a", "k2", b"2")])
    assert memory.get("a", "k") == b"1e21"
    assert memory.get("b", "k") == big
    assert memory.get("c", "k") is None
    assert memory.scan("a", "k") == [("k", b"1e21"), ("k2", b"2")]
    await store.commit([memory.delete("a", "k")])
    assert memory.scan("a", "") == [("k2", b"2")]


LONG = "k" * 399
keys = (
    st.lists(st.sampled_from(["", LONG, "é" * 250]), max_size=1)
    .map("".join)
    .flatmap(lambda head: st.text("kéz\U0001f600", min_size=1, max_size=4).map(lambda tail: head + tail))
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(keys, max_size=12), keys | st.just(""), st.integers(1, 2**40))
def test_memory_is_scanned_in_key_order_also_where_keys_are_long(
    store: LocalStore, names: set[str], prefix: str, number: int
) -> None:
    memory = StoredMemory(store)
    namespace = f"{number} {len(names)} {prefix}"

    async def fill() -> None:
        await store.commit([memory.delete(namespace, key) for key, _ in memory.scan(namespace, "")])
        await store.commit([memory.put(namespace, name, b"1") for name in names])

    asyncio.run(fill())
    expected = sorted((name for name in names if name.startswith(prefix)), key=str.encode)
    assert [key for key, _ in memory.scan(namespace, prefix)] == expected


async def test_an_approval_covers_one_target_and_args_of_one_run(store: LocalStore) -> None:
    await store.commit([approval_write("r", "http", "ab", "allow"), approval_write("r", "env:K", "ab", "deny")])
    assert get_approval(store, "r", "http", "ab") == "allow"
    assert get_approval(store, "r", "env:K", "ab") == "deny"
    assert get_approval(store, "r", "http", "cd") is None
    assert get_approval(store, "r2", "http", "ab") is None
