"""Databases by name."""

from __future__ import annotations

import itertools
import threading
from contextlib import closing

import pytest

from couchmend.errors import BadRequest, DatabaseNotFound, PreconditionFailed, Unavailable
from couchmend.replica.base import Heartbeat, Server, ServerUpdate

ILLEGAL = [
    "",
    "Bad-Name",
    "_private",
    "1st",
    "with space",
    "ümlaut",
    "a.b",
    "a:b",
    "../up",
    "a" * 300,
]


def test_a_database_from_its_making_to_its_end(server: Server, name: str) -> None:
    assert name not in server.names()
    created = server.create(name)
    assert created.name == name
    created.put({"_id": "a"})
    assert name in server.names()
    assert server.open(name).get("a")["_id"] == "a"
    assert name in server.open(name).url
    server.delete(name)
    assert name not in server.names()
    with pytest.raises(DatabaseNotFound):
        server.open(name)
    with pytest.raises(DatabaseNotFound):
        server.delete(name)


def test_a_database_that_is_made_again_is_empty(server: Server, name: str) -> None:
    server.create(name).put({"_id": "a"})
    server.delete(name)
    again = server.create(name)
    assert again.info().documents == 0
    assert again.all_docs().rows == ()


def test_a_database_that_exists_already(server: Server, name: str) -> None:
    server.create(name).put({"_id": "a"})
    with pytest.raises(PreconditionFailed) as refusal:
        server.create(name)
    assert refusal.value.error == "file_exists"
    assert server.open(name).info().documents == 1


@pytest.mark.parametrize("illegal", ILLEGAL, ids=lambda text: ascii(text)[:20])
def test_illegal_names(server: Server, illegal: str) -> None:

    with pytest.raises(BadRequest):
        server.create(illegal)
    assert illegal not in server.names()


@pytest.mark.parametrize("suffix", ["/a+b(c)$d_e-f", "$", "-", "/x/y"])
def test_every_legal_character(server: Server, name: str, suffix: str) -> None:
    full = name + suffix
    replica = server.create(full)
    try:
        replica.put({"_id": "a/b"})
        assert full in server.names()
        assert server.open(full).get("a/b")["_id"] == "a/b"
        assert server.open(full).name == full
    finally:
        server.delete(full)


@pytest.mark.parametrize("unknown", ["", "Bad-Name", "couchmend-test-none", "../up"])
def test_what_is_not_there(server: Server, unknown: str) -> None:
    with pytest.raises((DatabaseNotFound, BadRequest)):
        server.open(unknown)
    with pytest.raises((DatabaseNotFound, BadRequest)):
        server.delete(unknown)


def test_names_are_sorted(server: Server, name: str) -> None:
    names = [f"{name}-{part}" for part in ("b", "a", "c")]
    try:
        for each in names:
            server.create(each)
        assert [each for each in server.names() if each in names] == sorted(names)
    finally:
        for each in names:
            server.delete(each)


def test_a_database_that_vanishes_under_its_user(server: Server, name: str) -> None:
    replica = server.create(name)
    replica.put({"_id": "a"})
    server.delete(name)
    with pytest.raises((DatabaseNotFound, Unavailable)):
        replica.get("a")
    with pytest.raises((DatabaseNotFound, Unavailable)):
        replica.put({"_id": "b"})


def test_a_replica_cannot_be_used_after_it_was_closed(server: Server, name: str) -> None:
    replica = server.create(name)
    replica.close()
    with pytest.raises(Unavailable):
        replica.info()
    assert server.open(name).info().documents == 0


def test_the_state_of_a_database_changes_with_it(server: Server, name: str) -> None:
    replica = server.create(name)
    before = server.states([name, "couchmend-test-none"])
    assert set(before) == {name}
    assert before[name].name == name
    assert before[name].instance_start_time == replica.info().instance_start_time
    replica.put({"_id": "a"})
    after = server.states([name])
    assert after[name].update_seq != before[name].update_seq
    assert after[name].instance_start_time == before[name].instance_start_time


def test_the_states_of_more_databases_than_a_request_may_name(server: Server, name: str) -> None:
    server.create(name)
    names = [f"couchmend-test-none-{number}" for number in range(250)]
    assert list(server.states([*names, name])) == [name]
    assert server.states([]) == {}


def test_updates_tell_which_database_changed(server: Server, name: str) -> None:
    server.create(name)
    told: list[ServerUpdate] = []
    came = threading.Event()
    begun = threading.Event()

    def listen() -> None:
        with closing(server.updates(heartbeat_seconds=0.2)) as updates:
            begun.set()
            for update in updates:
                if isinstance(update, ServerUpdate) and update.database == name:
                    told.append(update)
                    came.set()
                    return

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    assert begun.wait(10)
    replica = server.open(name)
    for number in range(200):  # the feed begins some time after it was asked for
        replica.put({"_id": f"{number}"})
        if came.wait(0.1):
            break
    assert came.wait(10)
    listening.join()
    assert told[0].kind in {"created", "updated"}
    assert told[0].seq


def test_updates_in_silence(server: Server) -> None:
    with closing(server.updates(heartbeat_seconds=0.05)) as updates:
        assert any(isinstance(update, Heartbeat) for update in itertools.islice(updates, 20))
