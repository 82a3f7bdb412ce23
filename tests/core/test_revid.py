"""Revision ids equal Apache CouchDB's."""

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import Doc, loads
from couchmend.core.revid import HashedAttachment, new_rev
from couchmend.core.revtree import Rev
from couchmend.errors import DocumentInvalid

TRANSCRIPT = Path(__file__).parent.parent / "contract" / "couchdb-3.5.0.jsonl"


def recorded() -> list[Doc]:
    lines = TRANSCRIPT.read_bytes().splitlines()
    return [step for step in map(loads, lines) if step["scenario"] == "rev-ids"]


def test_every_recorded_revision_is_computed() -> None:
    compared = 0
    parents: dict[str, Rev] = {}
    for step in recorded():
        request, answer = step["request"], step["response"]["body"]
        if not isinstance(answer, dict) or "rev" not in answer:
            continue
        body = dict(request.get("body") or {})
        attachments = [
            HashedAttachment(
                name,
                entry["content_type"],
                hashlib.md5(base64.b64decode(entry["data"])).digest(),
            )
            for name, entry in body.pop("_attachments", {}).items()
        ]
        body.pop("_rev", None)
        deleted = request["method"] == "DELETE"
        rev = new_rev(parents.get(answer["id"]), deleted, body, attachments)
        assert str(rev) == answer["rev"], request
        parents[answer["id"]] = rev
        compared += 1
    assert compared == 28


@pytest.mark.parametrize(
    ("body", "hash"),
    [
        ({"n": 2**200}, "5c329992d74b2ef4ddd9e387e61055d5"),
        ({"n": 10**25}, "4519061d9afbb12ea8b6da2467e5c657"),
        ({"k": 2**32}, "aeee69dea9e15f481d6cd50d69d55b01"),
        ({"k": -128}, "c2405d6a49b2aa5b86a0cd983688e1e8"),
        ({"f": 1.7976931348623157e308}, "c7d01e9bb1da7c7816629b2a958d6c37"),
        ({"l": [*range(256)]}, "e34da8497ab08bc8fa736fc47889d3da"),
        ({"l": [255, 0]}, "8fdd9eeba9cdcadd98fa4cff2d742709"),
        ({"l": [-1]}, "fc5937eea4fb40c8f17153077bb47f2a"),
        ({"l": [True, 1]}, "3511957d8d4196b334aafdc3ca4b55f0"),
        ({"l": [1.0, 2]}, "10220072070afe3005c544e22226b87c"),
        ({"l": [1] * 65535}, "ab4c944c54428bab01b03446f7041f29"),
        ({"l": [1] * 65536}, "023b1a745dc8cf8c553c30e904ccf130"),
        ({"": {"": ""}}, "beb1f36560af528f1cb9b605a6c6d6d2"),
        ({"é": "\0"}, "ec8dda1ed246610e4bdf534db7bfce73"),
        ({"deep": [[[[]]]]}, "d4593d10f07f579c25d3eb266ce428e5"),
        ({"a": "x" * 70000}, "6157a93204b15b592fe2950574c190f3"),
    ],
)
def test_the_edges_of_the_term_format_are_couchdbs(body: Doc, hash: str) -> None:
    """As Apache CouchDB 3.5.0 answered to a PUT of each."""
    assert new_rev(None, False, body) == Rev(1, hash)


def test_integers_of_more_than_255_bytes_are_told_apart() -> None:
    bodies = [{"n": 2**2040}, {"n": -(2**2040)}, {"n": 2**2040 - 1}]
    assert len({new_rev(None, False, body) for body in bodies}) == 3


@given(st.lists(st.integers(-300, 300), max_size=6), st.lists(st.integers(-300, 300), max_size=6))
def test_different_bodies_have_different_revisions(one: list[int], other: list[int]) -> None:
    revs = new_rev(None, False, {"l": one}), new_rev(None, False, {"l": other})
    assert (revs[0] == revs[1]) == (one == other)


def test_everything_counts() -> None:
    parent = Rev(1, "967a00dff5e02add41819138abb3284d")
    revs = [
        new_rev(None, False, {"a": 1}),
        new_rev(None, True, {"a": 1}),
        new_rev(None, False, {"a": 1.0}),
        new_rev(None, False, {"a": True}),
        new_rev(None, False, {"a": "1"}),
        new_rev(parent, False, {"a": 1}),
        new_rev(Rev(2, parent.hash), False, {"a": 1}),
        new_rev(Rev(1, "aaaa"), False, {"a": 1}),
        new_rev(None, False, {"a": 1}, [HashedAttachment("x", "text/plain", b"0" * 16)]),
        new_rev(None, False, {"a": 1}, [HashedAttachment("x", "text/html", b"0" * 16)]),
        new_rev(None, False, {"a": 1, "b": 2}),
        new_rev(None, False, {"b": 2, "a": 1}),
    ]
    assert len(set(revs)) == len(revs)
    assert [rev.generation for rev in revs[5:8]] == [2, 3, 2]


def test_a_body_that_is_not_json_is_refused() -> None:
    for body in ({"a": float("nan")}, {"a": "\ud800"}, {"\ud800": 1}, {"a": {1, 2}}, {1: 2}):
        with pytest.raises(DocumentInvalid):
            new_rev(None, False, body)  # type: ignore[arg-type]
    deep: Doc = {}
    for _ in range(30):
        deep = {"a": [deep]}
    with pytest.raises(DocumentInvalid, match="nested too deeply"):
        new_rev(None, False, deep, max_depth=60)
    assert new_rev(None, False, deep, max_depth=61)
