"""Attachments in a merge: one is its content and type at once."""

from __future__ import annotations

import pytest

from couchmend.core.document import JSON
from couchmend.core.merging.attachments import arranged, content
from couchmend.core.merging.merge import merge, merge_json
from couchmend.core.paths import readable
from couchmend.core.policy.policy import Policy
from couchmend.errors import DocumentInvalid


def entry(content: str, content_type: str = "text/plain") -> JSON:
    return {"content_type": content_type, "digest": f"md5-{content}"}


def files(**entries: JSON) -> dict[str, JSON]:
    return {"_attachments": {name.replace("_", "."): one for name, one in entries.items()}}


def test_type_and_content_are_not_taken_from_two_versions() -> None:
    base = files(f=entry("a"))
    found = merge(base, files(f=entry("b")), files(f=entry("a", "text/html")))
    assert [readable(one.path) for one in found.unresolved] == ["_attachments.f"]
    assert found.value == files(f=entry("b"))


@pytest.mark.parametrize("base", [{}, files(f=entry("a"))])
def test_different_content_is_a_conflict(base: dict[str, JSON]) -> None:
    found = merge(base, files(f=entry("b")), files(f=entry("c")))
    assert [readable(one.path) for one in found.unresolved] == ["_attachments.f"]


def test_on_one_side_only_it_is_kept() -> None:
    found = merge({}, files(f=entry("b")), files(g=entry("c"), a=entry("d")))
    assert not found.unresolved
    assert found.value == files(f=entry("b"), g=entry("c"), a=entry("d"))


def test_both_are_kept_under_names_of_their_own() -> None:
    policy = Policy(attachments="keep-both")
    base = files(f_jpg=entry("a"))
    found = merge(base, files(f_jpg=entry("b")), files(f_jpg=entry("c")), policy)
    assert not found.unresolved
    kept = found.value["_attachments"]
    assert list(kept.values()) == [entry("c"), entry("b")]
    assert [name for name in kept if name != "f.jpg"] == ["f (conflict other).jpg"]


def test_in_plain_json_the_name_means_nothing() -> None:
    one, two = {"_attachments": {"f": {"x": 1, "y": 0}}}, {"_attachments": {"f": {"x": 0, "y": 1}}}
    found = merge_json({"_attachments": {"f": {"x": 0, "y": 0}}}, one, two)
    assert found.value == {"_attachments": {"f": {"x": 1, "y": 1}}}
    assert not found.unresolved


# --- what is read, and what results are made to look like


@pytest.mark.parametrize(
    "wrong", [{"f": "text"}, {"f": None}, {"f": entry("a"), "g": 1}, ["f"], "f"]
)
def test_what_is_no_object_of_objects_is_refused(wrong: JSON) -> None:
    with pytest.raises(DocumentInvalid, match="must be an object of objects"):
        content(wrong)


def test_an_attachment_that_cannot_be_told_from_another_is_refused() -> None:
    for nothing in ({}, {"digest": 5}, {"data": 5}, {"stub": True}):
        with pytest.raises(DocumentInvalid, match="f has no digest"):
            content({"f": nothing})


def test_content_that_came_without_a_digest_has_its_own() -> None:
    plain = {"content_type": "text/plain", "digest": "md5-XUFAKrxLKna5cZ2REBfFkg=="}
    assert content({"f": {"content_type": "text/plain", "data": b"hello"}}) == {"f": plain}
    assert content({"f": {"content_type": "text/plain", "data": "aGVsbG8="}}) == {"f": plain}


@pytest.mark.parametrize("body", ["text", 1, None, [1], {"_attachments": "text"}, {"x": 1}])
def test_what_has_no_attachments_stays_as_it_is(body: JSON) -> None:
    assert arranged(body) is body


def test_attachments_stand_last_and_by_name() -> None:
    found = arranged({"_attachments": {"b": entry("b"), "a": entry("a")}, "x": 1})
    assert isinstance(found, dict)
    assert list(found) == ["x", "_attachments"]
    assert list(found["_attachments"]) == ["a", "b"]
    assert arranged({"_attachments": {}, "x": 1}) == {"x": 1}
