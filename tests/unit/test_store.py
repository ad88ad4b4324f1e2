from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.engine.protocol import Completion, FinishReason, Parting, Request
from pytest_anchorgate.errors import StoreError
from pytest_anchorgate.store import ModelState, Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.begin("run")
    return store


def request(key: str) -> Request:
    return Request(key=key, prompt_ids=(1, 2), stop=("\n",), max_new_tokens=4)


def completion(key: str, text: str = "x") -> Completion:
    return Completion(
        key=key,
        text=text,
        token_ids=(3, 4, 0),
        finish_reason=FinishReason.EOS,
        margin=1.5,
        seconds=0.25,
        parting=Parting(1, 0.5, 0.25),
    )


@given(
    st.text(),
    st.lists(st.integers(min_value=0, max_value=2**31)),
    st.lists(st.text(), max_size=3),
    st.integers(min_value=1),
)
def test_a_request_survives_its_json(
    key: str, ids: list[int], stop: list[str], max_new_tokens: int
) -> None:
    asked = Request(key=key, prompt_ids=tuple(ids), stop=tuple(stop), max_new_tokens=max_new_tokens)
    assert Request.from_json(key, asked.to_json()) == asked


def test_a_completion_comes_back_as_it_was_stored(store: Store) -> None:
    store.add("run", [completion("k", "λ\x00\n")])
    assert store.completion("k") == completion("k", "λ\x00\n")
    assert store.completion("other") is None


def test_the_first_answer_to_a_key_stays(store: Store) -> None:
    store.add("run", [completion("k", "first")])
    store.add("other", [completion("k", "second")])
    answer = store.completion("k")
    assert answer is not None
    assert answer.text == "first"


def test_a_request_is_open_until_it_is_answered_and_is_queued_once(store: Store) -> None:
    store.request("run", [request("a"), request("b")])
    store.request("run", [request("a")])
    assert sorted(r.key for r in store.open_requests("run")) == ["a", "b"]
    store.add("run", [completion("a")])
    assert [r.key for r in store.open_requests("run")] == ["b"]
    assert store.progress("run") == (1, 2)


def test_runs_do_not_see_each_others_requests(store: Store) -> None:
    store.begin("second")
    store.request("run", [request("a")])
    assert store.open_requests("second") == []


def test_traffic_tells_generated_from_reused(store: Store) -> None:
    store.add("an earlier run", [completion("old")])
    store.request("run", [request("old"), request("new")])
    store.add("run", [completion("new")])
    traffic = store.traffic("run")
    assert (traffic.generated, traffic.generated_tokens) == (1, 3)
    assert (traffic.reused, traffic.reused_tokens) == (1, 3)


def test_a_finished_run_leaves_its_completions_only(store: Store) -> None:
    store.request("run", [request("a")])
    store.expect("run", [("anchor:a", True)])
    store.add("run", [completion("a")])
    store.forget("run")
    assert store.completion("a") is not None
    assert store.expected("run") == {}
    with pytest.raises(StoreError, match="run run is gone"):
        store.status("run")


def test_rows_of_a_killed_run_go_after_a_day(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.request("run", [request("a")])
    monkeypatch.setattr("pytest_anchorgate.store.STALE_RUN_S", -1.0)
    store.begin("next")
    assert store.open_requests("run") == []


def test_dead_stays_dead(store: Store) -> None:
    store.beat("run", ModelState.DEAD, note="killed")
    store.beat("run", ModelState.SERVING)
    status = store.status("run")
    assert (status.state, status.note) == (ModelState.DEAD, "killed")


def test_the_last_collection_says_what_is_selected(store: Store) -> None:
    store.expect("run", [("anchor:a", True), ("anchor:b", False)])
    store.expect("run", [("anchor:b", False)])
    assert store.expected("run") == {"anchor:a": True, "anchor:b": False}


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    def write(writer: int) -> None:
        store = Store(tmp_path)
        for number in range(20):
            store.add("run", [completion(f"{writer}/{number}")])
        store.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = Store(tmp_path)
    assert all(store.completion(f"{w}/{n}") for w in range(4) for n in range(20))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(StoreError, match=r"store\.sqlite: .*not a database.*Delete it"):
        Store(tmp_path)


def test_a_store_of_another_version_is_named(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        db.execute("PRAGMA user_version=7")
    with pytest.raises(StoreError, match="of version 7, this release reads version 2"):
        Store(tmp_path)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/store: cannot be created: Not a directory"):
        Store(tmp_path / "file" / "store")
