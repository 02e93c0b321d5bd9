"""What every object store must do."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest

from facefleet.errors.task import ObjectMissing
from facefleet.storage.keys import part_key, place_of, result_key, run_prefix, task_prefixes
from facefleet.storage.store import Store
from facefleet.tasks.ids import new_id

KEY = "tenants/acme/inputs/t1/source"


def test_what_is_put_can_be_got(store: Store) -> None:
    store.put(KEY, b"\x00photo\xff")
    assert store.get(KEY) == b"\x00photo\xff"


def test_an_empty_object_is_an_object(store: Store) -> None:
    store.put(KEY, b"")
    assert store.get(KEY) == b""


def test_a_second_put_replaces_the_first(store: Store) -> None:
    store.put(KEY, b"a longer first value")
    store.put(KEY, b"second")
    assert store.get(KEY) == b"second"


def test_a_missing_object_is_an_error_that_names_its_key(store: Store) -> None:
    with pytest.raises(ObjectMissing) as caught:
        store.get(KEY)
    assert caught.value.detail["key"] == KEY


def test_a_deleted_object_is_missing(store: Store) -> None:
    store.put(KEY, b"photo")
    store.delete(KEY)
    with pytest.raises(ObjectMissing):
        store.get(KEY)


def test_deleting_what_is_not_there_is_no_error(store: Store) -> None:
    store.delete(KEY)
    store.put("tenants/acme/inputs/t1/target", b"neighbour")
    store.delete(KEY)
    assert store.get("tenants/acme/inputs/t1/target") == b"neighbour"


def test_a_list_has_the_keys_of_its_prefix_and_no_other(store: Store) -> None:
    mine = {f"tenants/acme/results/t{n}/1" for n in range(5)}
    for key in mine | {"tenants/acme-2/results/t1/1", "tenants/other/results/t1/1"}:
        store.put(key, b"x")
    assert set(store.list("tenants/acme/")) == mine
    assert set(store.list("tenants/nobody/")) == set()


def test_a_list_is_longer_than_a_page(store: Store) -> None:
    mine = {f"tenants/acme/results/t{n}/1" for n in range(120)}
    for key in mine:
        store.put(key, b"x")
    assert sorted(store.list("tenants/acme/")) == sorted(mine)


def test_a_large_object_comes_back_whole(store: Store) -> None:
    photo = random.Random(6).randbytes(6 * 1024 * 1024)
    store.put(KEY, photo)
    assert store.get(KEY) == photo


def test_of_many_puts_at_once_one_whole_value_stays(store: Store) -> None:
    values = [bytes([n]) * 200_000 for n in range(8)]
    with ThreadPoolExecutor(len(values)) as threads:
        writes = [threads.submit(store.put, KEY, value) for value in values * 4]
        reads = [threads.submit(_whole, store) for _ in range(16)]
        for write in writes:
            write.result()
    assert all(read.result() for read in reads)
    assert store.get(KEY) in values


def _whole(store: Store) -> bool:
    try:
        value = store.get(KEY)
    except ObjectMissing:
        return True
    return len(value) == 200_000 and len(set(value)) == 1


def test_a_delete_beside_a_put_in_the_same_folder_loses_nothing(store: Store) -> None:
    """The local store removes empty folders; that must not pull one away under a neighbour's put."""

    def come_and_go(name: int) -> None:
        for turn in range(40):
            key = f"tenants/acme/inputs/t1/{name}"
            store.put(key, b"%d" % turn)
            assert store.get(key) == b"%d" % turn
            store.delete(key)

    with ThreadPoolExecutor(6) as threads:
        for done in [threads.submit(come_and_go, name) for name in range(6)]:
            done.result()
    assert list(store.list("tenants/acme/")) == []


def test_a_living_store_passes_its_check(store: Store) -> None:
    store.check()
    store.put(KEY, b"x")
    store.check()


# ── downloads and links ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stream_tells_the_size_and_brings_every_byte_in_order(store: Store) -> None:
    photo = random.Random(7).randbytes(3 * 1024 * 1024 + 17)
    store.put(KEY, photo)
    found = store.stream(KEY)
    chunks = list(found.chunks)
    assert found.size == len(photo)
    assert b"".join(chunks) == photo


def test_a_stream_of_an_empty_object_ends_at_once(store: Store) -> None:
    store.put(KEY, b"")
    found = store.stream(KEY)
    assert (found.size, b"".join(found.chunks)) == (0, b"")


def test_a_stream_or_link_of_what_is_not_there_is_an_error_at_once(store: Store) -> None:
    with pytest.raises(ObjectMissing):
        store.stream(KEY)
    store.put(KEY, b"x")
    if store.link(KEY, 60) is not None:
        store.delete(KEY)
        with pytest.raises(ObjectMissing):
            store.link(KEY, 60)


def test_a_stream_that_nobody_reads_on_holds_nothing_up(store: Store) -> None:
    store.put(KEY, random.Random(8).randbytes(4 * 1024 * 1024))
    for _ in range(20):
        next(store.stream(KEY).chunks)
    store.put(KEY, b"next")
    assert store.get(KEY) == b"next"


def test_a_link_is_followed_by_anybody_and_says_what_the_object_is(store: Store) -> None:
    photo = b"\xff\xd8\xff a photo"
    store.put("tenants/acme/results/t1/1", photo)
    link = store.link("tenants/acme/results/t1/1", 60)
    if link is None:
        pytest.skip("this store gives no links")
    answer = httpx.get(link)
    assert (answer.status_code, answer.content) == (200, photo)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == 'inline; filename="t1.jpg"'
    assert answer.headers["cache-control"] == "private, no-store"


# ── copies ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_copy_has_a_life_of_its_own(store: Store) -> None:
    photo = random.Random(9).randbytes(2 * 1024 * 1024)
    store.put(KEY, photo)
    store.put("tenants/acme/inputs/t2/source", b"what was there before")
    store.copy(KEY, "tenants/acme/inputs/t2/source")
    store.put(KEY, b"another")
    assert store.get("tenants/acme/inputs/t2/source") == photo
    store.delete(KEY)
    assert store.get("tenants/acme/inputs/t2/source") == photo


def test_a_copy_of_what_is_not_there_is_an_error_and_keeps_nothing(store: Store) -> None:
    with pytest.raises(ObjectMissing) as caught:
        store.copy(KEY, "tenants/acme/inputs/t2/source")
    assert caught.value.detail["key"] == KEY
    assert list(store.list("tenants/acme/")) == []


# ── files and streams ────────────────────────────────────────────────────────────────────────────────────────────────

PIECE = bytes(range(256)) * 4096  # 1 MiB


@pytest.mark.parametrize("kind", ["file", "generator", "list"])
def test_a_file_or_a_stream_is_kept_like_bytes(store: Store, tmp_path: Path, kind: str) -> None:
    (tmp_path / "upload").write_bytes(PIECE * 7)
    with (tmp_path / "upload").open("rb") as file:
        contents: dict[str, BinaryIO | Iterable[bytes]] = {
            "file": file, "generator": (PIECE for _ in range(7)), "list": [PIECE] * 7,
        }  # fmt: skip
        store.put(KEY, contents[kind])
    assert store.get(KEY) == PIECE * 7
    store.put(KEY, iter([b"short"]))
    assert store.get(KEY) == b"short"
    store.put(KEY, iter(()))
    assert store.get(KEY) == b""


@pytest.mark.parametrize("count", [0, 1, 12])
def test_a_stream_that_stumbles_keeps_nothing_and_says_why(store: Store, count: int) -> None:
    def stumbling() -> Iterator[bytes]:
        for _ in range(count):
            yield PIECE
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        store.put(KEY, stumbling())
    with pytest.raises(ObjectMissing):
        store.get(KEY)


def test_keys_below_the_fence_are_listed_and_deleted_with_their_task(store: Store) -> None:
    task = new_id()
    parts = [part_key("acme", task, 3, f"{number:04d}") for number in range(3)]
    for part in parts:
        store.put(part, [b"a part"])
    _, results = task_prefixes("acme", task)
    assert sorted(store.list(results)) == parts
    assert {(place.owner, run_prefix(place.key)) for key in parts if (place := place_of(key))} == {
        (task, result_key("acme", task, 3))
    }
    for key in list(store.list(results)):
        store.delete(key)
    assert list(store.list(results)) == []
