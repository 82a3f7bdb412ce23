"""A folder of databases, by CouchDB's rules for names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from couchmend.errors import BadRequest, DatabaseNotFound, PreconditionFailed, Unavailable
from couchmend.replica.embedded import EmbeddedReplica, Folder, folder


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Folder]:
    places = Folder(tmp_path / "databases")
    yield places
    places.close()


def test_databases_are_created_listed_opened_and_deleted(databases: Folder) -> None:
    databases.create("b")
    databases.create("a/b+c_$(d)-1").put({"_id": "x"})
    databases.create("_users")
    assert databases.names() == ["_users", "a/b+c_$(d)-1", "b"]
    assert databases.open("a/b+c_$(d)-1").get("x")
    assert databases.open("b") is databases.open("b")
    databases.delete("b")
    assert databases.names() == ["_users", "a/b+c_$(d)-1"]
    assert sorted(p.name for p in databases.path.glob("b*")) == []
    with pytest.raises(DatabaseNotFound):
        databases.open("b")
    with pytest.raises(DatabaseNotFound):
        databases.delete("b")


def test_a_database_that_exists_is_not_made_again(databases: Folder) -> None:
    databases.create("a").put({"_id": "x"})
    with pytest.raises(PreconditionFailed, match="already exists") as refusal:
        databases.create("a")
    assert refusal.value.error == "file_exists"
    assert databases.open("a").get("x")


@pytest.mark.parametrize(
    "name",
    ["", "A", "1a", "_a", "a.b", "a b", "..", "../a", "a/../../b", "a\0", "é", "a" * 239, "a%2f"],
)
def test_names_that_couchdb_refuses_are_refused(databases: Folder, name: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        databases.create(name)
    assert refusal.value.error in ("illegal_database_name", "database_name_too_long")
    with pytest.raises(DatabaseNotFound):
        databases.open(name)
    with pytest.raises(DatabaseNotFound):
        databases.delete(name)
    assert [*databases.path.iterdir()] == []


def test_slashes_stay_inside_the_folder(databases: Folder) -> None:
    databases.create("a/../b" if folder.is_database_name("a/../b") else "a/b")
    assert all(p.parent == databases.path for p in databases.path.rglob("*"))


def test_listeners_hear_of_every_event(databases: Folder) -> None:
    heard: list[tuple[str, str]] = []
    end = databases.subscribe(lambda name, event: heard.append((name, event)))
    databases.create("a").put({"_id": "x"})
    databases.delete("a")
    end()
    databases.create("b")
    assert heard == [("a", "created"), ("a", "updated"), ("a", "deleted")]


def test_a_database_made_anew_elsewhere_is_opened_anew(databases: Folder) -> None:
    old = databases.create("a")
    old.put({"_id": "old"})
    elsewhere = Folder(databases.path)
    elsewhere.delete("a")
    elsewhere.create("a").put({"_id": "new"})
    elsewhere.close()
    assert [row.id for row in databases.open("a").all_docs().rows] == ["new"]


def test_more_databases_than_stay_awake(databases: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_AWAKE", 3)
    for n in range(12):
        databases.create(f"d{n}").put({"_id": str(n)})
    for n in range(12):
        assert databases.open(f"d{n}").get(str(n))
    databases.open("d0").put({"_id": "again"})
    awake = [name for name, replica in databases._open.items() if replica.is_awake()]
    assert len(awake) <= 4


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable, match="writable folder"):
        Folder(tmp_path / "file" / "sub")


def test_a_closed_folder_closes_its_databases(databases: Folder) -> None:
    replica: EmbeddedReplica = databases.create("a")
    databases.close()
    with pytest.raises(Unavailable, match="closed"):
        replica.get("x")
