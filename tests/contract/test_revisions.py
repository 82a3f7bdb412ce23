"""Writing revisions as replication does, with `new_edits=false`."""

from __future__ import annotations

import pytest

from couchmend.core.document import Doc
from couchmend.errors import NotFound
from couchmend.replica.base import ChangesQuery, Missing, Replica
from tests.contract.chains import TREE, chained, grow, leaves, store


def test_revisions_keep_their_names_and_ancestors(replica: Replica) -> None:
    store(replica, chained("a", "3-ccc", "2-bbb", "1-aaa", v=3))
    assert replica.get("a", revs=True) == chained("a", "3-ccc", "2-bbb", "1-aaa", v=3)
    assert replica.open_revs("a", ["2-bbb"]) == [Missing("a", "2-bbb")]


def test_writing_again_changes_nothing(replica: Replica) -> None:
    grow(replica)
    before = replica.changes(ChangesQuery(style="all_docs"))
    grow(replica)
    assert replica.changes(ChangesQuery(since=before.last_seq)).rows == ()
    assert leaves(replica, TREE) == {"2-bbbb", "2-cccc", "3-dddd"}
    assert replica.info().documents == 1


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_the_order_of_arrival_makes_no_difference(replica: Replica, order: tuple[int, ...]) -> None:
    docs = [
        chained(TREE, "1-aaaa", v="base"),
        chained(TREE, "2-bbbb", "1-aaaa", v="left"),
        chained(TREE, "2-cccc", "1-aaaa", v="right"),
        chained(TREE, "3-dddd", "2-eeee", "1-aaaa", deleted=True),
    ]
    for place in order:
        store(replica, docs[place])
    doc = replica.get(TREE, conflicts=True, deleted_conflicts=True, revs=True)
    assert doc["_rev"] == "2-cccc"
    assert doc["_conflicts"] == ["2-bbbb"]
    assert doc["_deleted_conflicts"] == ["3-dddd"]
    assert doc["_revisions"] == {"start": 2, "ids": ["cccc", "aaaa"]}


def test_an_inner_revision_gets_its_body_late(replica: Replica) -> None:
    store(replica, chained("a", "2-b", "1-a", v=2))
    with pytest.raises(NotFound):
        replica.get("a", rev="1-a")
    store(replica, chained("a", "1-a", v=1))
    assert replica.get("a", rev="1-a")["v"] == 1
    assert replica.get("a")["_rev"] == "2-b"
    assert leaves(replica, "a") == {"2-b"}


def test_the_first_body_of_a_revision_stays(replica: Replica) -> None:
    store(replica, chained("a", "1-a", v="first"))
    store(replica, chained("a", "1-a", v="second"))
    assert replica.get("a")["v"] == "first"


def test_a_chain_grows_past_several_leaves_at_once(replica: Replica) -> None:
    store(replica, chained("a", "1-a"))
    store(replica, chained("a", "5-e", "4-d", "3-c", "2-b", "1-a", v=5))
    assert leaves(replica, "a") == {"5-e"}
    assert replica.get("a", revs=True)["_revisions"]["start"] == 5


def test_a_revision_without_its_chain_is_a_root(replica: Replica) -> None:
    store(replica, {"_id": "a", "_rev": "3-c", "v": 3})
    assert replica.get("a", revs=True)["_revisions"] == {"start": 3, "ids": ["c"]}
    store(replica, {"_id": "a", "_rev": "2-b", "v": 2})
    assert leaves(replica, "a") == {"3-c", "2-b"}


def test_gaps_between_generations_are_bridged_when_the_chain_comes(replica: Replica) -> None:
    store(replica, {"_id": "a", "_rev": "1-a", "v": 1}, {"_id": "a", "_rev": "3-c", "v": 3})
    assert leaves(replica, "a") == {"1-a", "3-c"}
    store(replica, chained("a", "4-d", "3-c", "2-b", "1-a", v=4))
    doc = replica.get("a", revs=True)
    assert doc["_rev"] == "4-d"
    assert doc["_revisions"]["ids"][:2] == ["d", "c"]
    assert "4-d" in leaves(replica, "a")
    assert "3-c" not in leaves(replica, "a")


def test_a_stemmed_chain(replica: Replica) -> None:
    """A chain that starts above its length: its older part was forgotten somewhere."""
    store(replica, chained("a", "9-i", "8-h", "7-g", v=9))
    assert replica.get("a", revs=True)["_revisions"] == {"start": 9, "ids": ["i", "h", "g"]}
    edited = replica.put({"_id": "a", "_rev": "9-i", "v": 10})
    assert edited.startswith("10-")


def test_revisions_rule_over_rev(replica: Replica) -> None:
    """`_revisions` names the revision; `_rev` need not be there."""
    doc = chained("a", "2-b", "1-a", v=2)
    del doc["_rev"]
    store(replica, doc)
    assert replica.get("a")["_rev"] == "2-b"


def test_an_edit_extends_a_replicated_revision(replica: Replica) -> None:
    grow(replica)
    rev = replica.put({"_id": TREE, "_rev": "2-cccc", "v": "left", "n": 2})
    assert replica.get(TREE, revs=True)["_revisions"]["ids"] == [rev[2:], "cccc", "aaaa"]


def test_hashes_of_32_hex_digits_are_read_as_bytes(replica: Replica) -> None:
    upper = "ABCDEF" + "0" * 26
    store(replica, {"_id": "a", "_rev": f"1-{upper}", "v": 1})
    assert replica.get("a")["_rev"] == f"1-{upper.lower()}"
    assert replica.get("a", rev=f"1-{upper}")["v"] == 1
    assert replica.revs_diff({"a": [f"1-{upper.lower()}"]}) == {}


def test_many_revisions_of_many_documents_in_one_batch(replica: Replica) -> None:
    docs: list[Doc] = []
    for n in range(50):
        docs += [
            chained(f"d{n}", "1-a", v=1),
            chained(f"d{n}", "2-b", "1-a", v=2),
            chained(f"d{n}", "2-c", "1-a", v=3),
        ]
    store(replica, *docs)
    page = replica.changes(ChangesQuery(style="all_docs"))
    assert {row.id: row.revs for row in page.rows} == {f"d{n}": ("2-c", "2-b") for n in range(50)}


def test_a_low_revs_limit_stems_chains(replica: Replica) -> None:
    replica.set_revs_limit(3)
    rev = replica.put({"_id": "a", "n": 0})
    revs = [rev]
    for n in range(1, 6):
        rev = replica.put({"_id": "a", "_rev": rev, "n": n})
        revs.append(rev)
    kept = replica.get("a", revs=True)["_revisions"]
    assert kept == {"start": 6, "ids": [rev[2:] for rev in revs[:2:-1]]}
    with pytest.raises(NotFound):
        replica.get("a", rev=revs[0])
    assert replica.revs_diff({"a": [revs[0], revs[-1]]})["a"].missing == (revs[0],)


def test_a_stemmed_history_that_meets_its_old_self_is_a_conflict(replica: Replica) -> None:
    """What a low limit costs: the chains do not meet any more (apache/couchdb#1994)."""
    store(replica, chained("a", "1-a", v=1))
    store(replica, chained("a", "7-g", "6-f", "5-e", v=7))
    assert replica.get("a", conflicts=True)["_conflicts"] == ["1-a"]


def test_stemming_keeps_every_branch_as_long_as_the_limit(replica: Replica) -> None:
    replica.set_revs_limit(2)
    store(
        replica,
        chained("a", "4-d", "3-c", "2-b", "1-a", v=4),
        chained("a", "3-y", "2-b", "1-a", v=3),
    )
    chains = {
        outcome.doc["_rev"]: outcome.doc["_revisions"]["ids"]
        for outcome in replica.open_revs("a", revs=True)
        if not isinstance(outcome, Missing)
    }
    assert chains == {"4-d": ["d", "c"], "3-y": ["y", "b"]}
