"""Replication between every pair of implementations."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from couchmend.core.document import Doc
from couchmend.errors import Forbidden
from couchmend.replica.base import Replica
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.replicate import replicate
from tests.contract.backends import AVAILABLE, Backend, opened
from tests.contract.chains import TREE, grow
from tests.replica.replicate.leaves import leaves_of_all

PAIRS = list(itertools.product(AVAILABLE, AVAILABLE))


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Backend]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(opened(name, tmp_path_factory.mktemp(name)))
            for name in AVAILABLE
        }


@pytest.fixture(params=PAIRS, ids="-to-".join)
def pair(
    request: pytest.FixtureRequest, backends: dict[str, Backend]
) -> Iterator[tuple[Replica, Replica]]:
    source, target = request.param
    with backends[source].replica() as one, backends[target].replica() as other:
        yield one, other


def test_everything_arrives_and_nothing_is_sent_twice(pair: tuple[Replica, Replica]) -> None:
    source, target = pair
    grow(source)
    source.bulk_docs([{"_id": f"d{n}", "n": n, "big": 2**70, "f": 1.0} for n in range(30)])
    source.put({"_id": "a/b é", "_attachments": {"f.txt": {"data": b"text " * 999}}})
    source.put_attachment("large", "f", (b"x" * 65_536 for _ in range(20)), "image/png")
    source.delete("d3", source.get("d3")["_rev"])
    source.put({"_id": "_design/d", "views": {}})
    source.put_local("mine", {"v": 1})
    summary = replicate(source, target)
    assert (summary.progress.docs_written, summary.progress.refused) == (36, [])
    assert leaves_of_all(target) == leaves_of_all(source)
    assert all(doc["_id"] != "_local/mine" for doc in target.local_docs())
    assert replicate(source, target).progress.missing_checked == 0
    source.put({"_id": TREE, "_rev": "2-bbbb", "v": "edited"})
    assert replicate(source, target).progress.docs_written == 1
    assert leaves_of_all(target) == leaves_of_all(source)


def test_both_ways_end_equal(pair: tuple[Replica, Replica]) -> None:
    one, other = pair
    one.put({"_id": "a", "at": "one"})
    other.put({"_id": "a", "at": "other"})
    replicate(one, other)
    replicate(other, one)
    assert leaves_of_all(one) == leaves_of_all(other)
    assert len(leaves_of_all(one)["a"]) == 2
    assert one.get("a", conflicts=True) == other.get("a", conflicts=True)


def test_some_documents(pair: tuple[Replica, Replica]) -> None:
    source, target = pair
    source.bulk_docs([{"_id": f"d{n}", "n": n} for n in range(6)])
    replicate(source, target, doc_ids=["d1", "d5", "none"])
    assert set(leaves_of_all(target)) == {"d1", "d5"}
    replicate(source, target, selector={"n": {"$lt": 1}})
    assert set(leaves_of_all(target)) == {"d0", "d1", "d5"}


def test_both_sides_keep_the_log(pair: tuple[Replica, Replica]) -> None:
    source, target = pair
    source.put({"_id": "a"})
    summary = replicate(source, target)
    (ours,), (theirs,) = source.local_docs(), target.local_docs()
    for log in (ours, theirs):
        assert log["session_id"] == log["history"][0]["session_id"] == summary.session_id
        assert (
            log["source_last_seq"] == log["history"][0]["recorded_seq"] == summary.progress.last_seq
        )
        assert log["history"][0]["docs_written"] == 1
    assert ours["_id"] == theirs["_id"]


def test_what_the_target_refuses_does_not_stop_the_rest() -> None:
    def refuse(new: Doc, old: Doc | None) -> None:
        if new.get("n") == 2:
            raise Forbidden("not this one")

    with (
        EmbeddedReplica.open(":memory:") as source,
        EmbeddedReplica.open(":memory:", validators=[refuse]) as target,
    ):
        source.bulk_docs([{"_id": f"d{n}", "n": n} for n in range(5)])
        summary = replicate(source, target)
        assert [(row.id, row.reason) for row in summary.progress.refused] == [
            ("d2", "not this one")
        ]
        assert summary.progress.docs_written == 4
        assert set(leaves_of_all(target)) == {"d0", "d1", "d3", "d4"}
