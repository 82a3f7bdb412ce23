"""Which databases an address means, as they come and go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from couchmend.engine.finding.targets import Address, Seen, Watched
from couchmend.errors import DatabaseNotFound, Unavailable, UsageError
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import ReplicaServer

NAMES = ("_users", "inventory", "team-a", "team-b", "team/c")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path / "databases")
    for name in NAMES:
        folder.create(name)
    yield folder
    folder.close()


@pytest.fixture
def url(folder: Folder) -> Iterator[str]:
    with BackgroundServer(folder, ReplicaServer(port=0)) as server:
        yield server.url


def names(*addresses: str, exclude: tuple[str, ...] = ()) -> list[str]:
    with Watched([Address(one, exclude=exclude) for one in addresses]) as watched:
        assert watched.refresh().unreachable == ()
        return [target.database for target in watched.targets]


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ("", ["inventory", "team-a", "team-b", "team/c"]),
        ("/*", ["inventory", "team-a", "team-b", "team/c"]),
        ("/team-*", ["team-a", "team-b"]),
        ("/*-b", ["team-b"]),
        ("/team%2F*", ["team/c"]),
        ("/_*", ["_users"]),
        ("/nothing-*", []),
    ],
)
def test_a_server_and_a_folder(url: str, folder: Folder, ending: str, expected: list[str]) -> None:
    assert names(f"{url}{ending}") == expected
    assert names(f"dir:{folder.path}{ending}") == expected


def test_one_database(url: str, folder: Folder) -> None:
    assert names(f"{url}/_users") == ["_users"]
    assert names(f"{url}/team%2Fc") == ["team/c"]
    assert names(f"file:{folder.path}/team-a.couch") == ["team-a"]


def test_some_are_left_out(url: str) -> None:
    assert names(url, exclude=("team-*", "inv*")) == ["team/c"]


def test_each_database_once_in_the_order_of_the_entries(url: str) -> None:
    found = names(f"{url}/team-b", f"{url}/team-*", url)
    assert found == ["team-b", "team-a", "inventory", "team/c"]


def test_a_target_says_what_its_entry_says(url: str) -> None:
    entry = Address(f"{url}/team-a", "Team A", "auto", ("tasks",), 25.0, only_us=True)
    with Watched([entry, Address(f"{url}/*", mode="suggest")]) as watched:
        watched.refresh()
        first, second = watched.targets[:2]
    assert (first.name, first.database, first.url) == ("Team A", "team-a", f"{url}/team-a")
    assert (first.mode, first.policies, first.rollout, first.only_us) == (
        "auto", ("tasks",), 25.0, True,
    )  # fmt: skip
    assert (second.name, second.mode, second.policies) == (f"{url}/inventory", "suggest", None)
    assert first.server == second.server == url


def test_credentials_are_kept_apart() -> None:
    with Watched([Address("http://ann:secret@couch.example/db")]) as watched:
        watched.refresh()
        (target,) = watched.targets
    assert (target.name, target.url) == ("http://couch.example/db", "http://couch.example/db")
    assert "secret" in target.address
    assert "secret" not in repr(target)
    assert "secret" not in repr(Address("http://ann:secret@couch.example/db"))


def test_what_appears_and_vanishes_is_told(folder: Folder) -> None:
    def told(seen: Seen) -> tuple[list[str], list[str]]:
        return [t.database for t in seen.appeared], [t.database for t in seen.vanished]

    with Watched([Address(f"dir:{folder.path}/team-*")]) as watched:
        assert told(watched.refresh()) == (["team-a", "team-b"], [])
        assert told(watched.refresh()) == ([], [])
        folder.create("team-d")
        folder.delete("team-a")
        assert told(watched.refresh()) == (["team-d"], ["team-a"])


def test_a_server_that_cannot_be_reached_keeps_its_databases(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    try:
        folder.create("a")
        with BackgroundServer(folder, ReplicaServer(port=0)) as server:
            watched = Watched([Address(server.url), Address(f"dir:{tmp_path}")])
            watched.refresh()
        # Nobody listens there any more.
        import couchmend.settings as given

        impatient = given.Server(url=server.url, attempts=1)
        with Watched([Address(server.url), Address(f"dir:{tmp_path}")], [impatient]) as other:
            seen = other.refresh()
            assert [place for place, _ in seen.unreachable] == [server.url]
            assert isinstance(seen.unreachable[0][1], Unavailable)
            assert [target.database for target in seen.appeared] == ["a"]
        watched.close()
    finally:
        folder.close()


def test_databases_are_opened(url: str, folder: Folder) -> None:
    addresses = [Address(url), Address(f"file:{folder.path}/team-a.couch")]
    with Watched(addresses) as watched:
        watched.refresh()
        for target in watched.targets:
            replica = watched.open(target)
            assert replica.info().name == target.database
            assert watched.open(target).info().name == target.database


def test_what_is_not_there(tmp_path: Path) -> None:
    with Watched([Address(f"file:{tmp_path}/none.couch")]) as watched:
        watched.refresh()
        with pytest.raises(DatabaseNotFound):
            watched.open(watched.targets[0])
    with Watched([Address(f"dir:{tmp_path}/none")]) as watched:
        ((_, problem),) = watched.refresh().unreachable
        assert isinstance(problem, DatabaseNotFound)
        assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "address", ["notes.couch", "ftp://host/db", "", "http://", "file:", ":memory:"]
)
def test_no_address(address: str) -> None:
    with pytest.raises(UsageError):
        Watched([Address(address)])
