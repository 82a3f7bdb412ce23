"""Compaction drops what no leaf needs, in steps, and nothing else."""

import threading
from pathlib import Path

import pytest

from couchmend.errors import NotFound
from couchmend.replica.embedded import EmbeddedReplica, compaction


def edited(replica: EmbeddedReplica, id: str, times: int) -> list[str]:
    revs = [replica.put({"_id": id, "v": 0})]
    for n in range(1, times):
        revs.append(replica.put({"_id": id, "_rev": revs[-1], "v": n}))
    return revs


def test_bodies_of_inner_revisions_go_and_leaves_stay(replica: EmbeddedReplica) -> None:
    revs = edited(replica, "a", 5)
    replica.bulk_docs(
        [
            {"_id": "a", "_revisions": {"start": 2, "ids": ["f" * 32, revs[0][2:]]}, "v": "other"},
            {
                "_id": "a",
                "_revisions": {"start": 2, "ids": ["e" * 32, revs[0][2:]]},
                "_deleted": True,
                "why": "a tombstone with a body",
            },
        ],
        new_edits=False,
    )
    assert replica.get("a", rev=revs[0])["v"] == 0
    replica.compact()
    for rev in revs[:-1]:
        with pytest.raises(NotFound, match="missing"):
            replica.get("a", rev=rev)
    assert replica.get("a", revs=True)["_revisions"]["ids"] == [rev[2:] for rev in revs[::-1]]
    assert replica.get("a", rev="2-" + "f" * 32)["v"] == "other"
    assert replica.get("a", rev="2-" + "e" * 32)["why"] == "a tombstone with a body"


def test_attachments_that_no_leaf_has_go(replica: EmbeddedReplica) -> None:
    first = replica.put_attachment("a", "old", b"o" * 600_000, "x/x")
    second = replica.put_attachment("a", "new", b"n" * 10, "x/x", rev=first)
    third = replica.delete_attachment("a", "old", second)
    replica.put_attachment("b", "shared", b"n" * 10, "x/x")
    assert replica.attachment("a", "old", rev=second).read() == b"o" * 600_000
    replica.compact()
    assert replica.attachment("a", "new", rev=third).read() == b"n" * 10
    assert replica.attachment("b", "shared").read() == b"n" * 10
    with replica._connections.read() as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (1,)


def test_the_file_shrinks(path: Path, replica: EmbeddedReplica) -> None:
    rev = replica.put_attachment("a", "big", b"x" * 5_000_000, "x/x")
    replica.delete("a", rev)
    before = replica.info().sizes
    replica.compact()
    after = replica.info().sizes
    assert before.file > 5_000_000
    assert after.file < 500_000
    assert path.stat().st_size < 500_000


def test_writers_go_on_between_the_steps(
    replica: EmbeddedReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(60):
        edited(replica, f"d{n:02}", 3)
    monkeypatch.setattr(compaction, "DOCUMENTS_A_STEP", 1)
    written: list[str] = []
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            written.append(replica.put({"v": len(written)}))

    writing = threading.Thread(target=write)
    writing.start()
    while not written:
        stop.wait(0.001)
    before = len(written)
    replica.compact()
    during = len(written) - before
    stop.set()
    writing.join()
    assert during > 0
    assert replica.info().documents == 60 + len(written)
    assert replica.get("d00")["v"] == 2


def test_stemming_forgets_bodies_beyond_the_limit(replica: EmbeddedReplica) -> None:
    replica.set_revs_limit(3)
    revs = edited(replica, "a", 6)
    assert replica.get("a", revs=True)["_revisions"]["ids"] == [rev[2:] for rev in revs[:2:-1]]
    with pytest.raises(NotFound):
        replica.get("a", rev=revs[0])
    assert replica.get("a", rev=revs[3])["v"] == 3


def test_purging_takes_leaves_only_and_promotes_another(replica: EmbeddedReplica) -> None:
    replica.bulk_docs(
        [
            {"_id": "a", "_revisions": {"start": 2, "ids": [tail, "r"]}, "v": tail}
            for tail in ("x", "y")
        ],
        new_edits=False,
    )
    seq = replica.info().update_seq
    assert replica.purge({"a": ["1-r", "2-y", "9-none"], "no": ["1-a"]}) == {
        "a": ("2-y",),
        "no": (),
    }
    assert replica.get("a", conflicts=True) == {"_id": "a", "_rev": "2-x", "v": "x"}
    assert replica.info().update_seq != seq
    assert replica.purge({"a": ["2-x"]}) == {"a": ("2-x",)}
    with pytest.raises(NotFound, match="missing"):
        replica.get("a")
    assert replica.info().documents == 0
    assert replica.changes().rows == ()
