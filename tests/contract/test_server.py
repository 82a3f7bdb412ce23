"""Databases by name."""

from __future__ import annotations

import pytest

from couchmend.errors import BadRequest, DatabaseNotFound, PreconditionFailed, Unavailable
from couchmend.replica.base import Server

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
