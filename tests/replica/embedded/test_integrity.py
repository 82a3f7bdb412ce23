"""`check` finds every kind of damage that can be done to a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from couchmend.errors import Unavailable
from couchmend.replica.embedded import EmbeddedReplica


@pytest.fixture
def damaged(path: Path) -> Iterator[EmbeddedReplica]:
    """A sound database with a bit of everything, for a test to damage."""
    with EmbeddedReplica.open(path) as replica:
        rev = replica.put({"_id": "a", "v": 1})
        replica.put({"_id": "a", "_rev": rev, "v": 2})
        replica.put_attachment("b", "x", b"content" * 100_000, "x/x")
        replica.bulk_docs(
            [
                {"_id": "c", "_revisions": {"start": 2, "ids": ["x", "r"]}},
                {"_id": "c", "_revisions": {"start": 2, "ids": ["y", "r"]}},
            ],
            new_edits=False,
        )
        assert replica.check() == []
        yield replica


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE documents SET winner = '9-z' WHERE id = 'a'", "does not agree"),
        ("UPDATE documents SET leaves = 3 WHERE id = 'c'", "does not agree"),
        ("UPDATE documents SET live_leaves = 1 WHERE id = 'c'", "does not agree"),
        ("UPDATE documents SET tree = 'rubbish' WHERE id = 'c'", "cannot be read"),
        ("UPDATE documents SET tree = '[[2,[\"x\"]]]' WHERE id = 'c'", "cannot be read"),
        ("UPDATE documents SET seq = 99 WHERE id = 'a'", "sequence"),
        ("UPDATE state SET live = 9", "counts"),
        ("DELETE FROM revisions WHERE rev = '2-x'", "body of leaf 2-x is missing"),
        ("UPDATE revisions SET body = '{' WHERE rev = '2-x'", "body cannot be read"),
        ("DELETE FROM documents WHERE id = 'a'", "belongs to no document"),
        ("DELETE FROM blobs", "attachment x is missing"),
        ("DELETE FROM blob_uses", "attachment x is missing"),
        ("DELETE FROM blob_chunks WHERE part = 1", "damaged"),
        ("UPDATE blob_chunks SET data = zeroblob(length(data)) WHERE part = 0", "damaged"),
    ],
)
def test_damage_is_found(damaged: EmbeddedReplica, damage: str, problem: str) -> None:
    with damaged._connections.write() as connection:
        assert connection.execute(damage).rowcount
    problems = damaged.check()
    assert any(problem in text for text in problems), problems


def test_a_file_with_torn_pages_is_damage_not_a_traceback(path: Path) -> None:
    with EmbeddedReplica.open(path) as replica:
        replica.bulk_docs([{"_id": f"d{n}", "text": "x" * 500} for n in range(500)])
        replica.compact()
    content = bytearray(path.read_bytes())
    for start in range(len(content) // 2, len(content), 8192):
        content[start : start + 2048] = b"\xa5" * len(content[start : start + 2048])
    path.write_bytes(content)
    with EmbeddedReplica.open(path) as replica:
        assert replica.check() != []
        with pytest.raises(Unavailable, match="damaged"):
            list(replica.bulk_get([(f"d{n}", None) for n in range(500)]))


def test_a_file_whose_first_pages_are_torn_does_not_open(path: Path) -> None:
    with EmbeddedReplica.open(path) as replica:
        replica.put({"_id": "a"})
        replica.compact()
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xa5" * 4096
    content[8192:16384] = b"\xa5" * 8192
    path.write_bytes(content)
    with pytest.raises(Unavailable, match="damaged"):
        EmbeddedReplica.open(path)
