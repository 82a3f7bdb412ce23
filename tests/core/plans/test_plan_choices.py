"""What a person chooses, path by path or as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from couchmend.core.document import JSON, Doc
from couchmend.core.merging.applying import apply_decisions
from couchmend.core.paths import readable
from couchmend.core.plans.choices import Arrange, Choice, Put, Take, choices_from_json
from couchmend.core.plans.planned import Plan
from couchmend.core.policy.policy import Policy
from couchmend.core.values import ABSENT, same
from couchmend.errors import DocumentInvalid, UsageError
from tests.core.plans.growing import Growing

FILE = {"content_type": "text/plain", "digest": "md5-XUFAKrxLKna5cZ2REBfFkg=="}
OTHER_FILE = {"content_type": "text/plain", "digest": "md5-fXkwN6B2AYZXSwKC8vQ15w=="}


def document() -> Growing:
    """Both sides changed the title and the address; one removed `gone`, which the other
    changed."""
    made = Growing()
    made.forked(
        {"title": "old", "address": {"city": "A", "zip": 1}, "gone": 1, "n": 0, "l": [{"id": 1}]},
        {
            "title": "left",
            "address": {"city": "B", "zip": 1},
            "gone": 2,
            "n": 1,
            "l": [{"id": 1, "done": True}],
        },
        {
            "title": "right",
            "address": {"city": "C", "zip": 2},
            "n": 0,
            "l": [{"id": 1}, {"id": 2}],
        },
    )
    return made


def bodies(made: Growing) -> tuple[Doc, Doc]:
    """The winner's, and the other's."""
    first, second = made.now().live
    return made.bodies[first], made.bodies[second]


def resolved(made: Growing, **choices: Choice) -> Plan:
    first: dict[str, Choice] = {
        "title": Take("current"),
        "address.city": Take("current"),
        "gone": Take("current"),
    }
    return made.plan("manual", choices={**first, **choices})


def result(made: Growing, planned: Plan) -> JSON:
    assert planned.ready, planned.sentence
    body = planned.write.body if planned.write else made.bodies[planned.winner]
    assert same(apply_decisions(made.bodies[planned.winner], planned.decisions), body)
    return body


def test_everything_open_is_to_be_chosen() -> None:
    made = document()
    planned = made.plan("manual", choices={"title": Take("current")})
    assert not planned.ready
    assert {readable(one.path) for one in planned.unresolved} == {"address.city", "gone"}
    assert resolved(made).ready


def test_nothing_chosen_is_no_plan() -> None:
    made = Growing()
    made.forked({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2})
    assert made.plan("merge").ready
    assert not made.plan("manual").ready


@pytest.mark.parametrize("name", ["current", "local", "other", "remote", "revision", "beginning"])
def test_a_version_by_its_name(name: str) -> None:
    made = document()
    current, other = bodies(made)
    second = made.now().live[1]
    version = {"revision": str(second), "beginning": str(second)[:9]}.get(name, name)
    body = result(made, resolved(made, title=Take(version)))
    assert body["title"] == (current if name in ("current", "local") else other)["title"]


def test_versions_that_are_not_there() -> None:
    made = document()
    for name in ("3-abc", "", "2", "2-", "winner"):
        with pytest.raises(UsageError) as problem:
            resolved(made, title=Take(name))
        assert str(made.now().live[0]) in problem.value.hint


def test_a_value_of_ones_own_and_none() -> None:
    made = document()
    body = result(made, resolved(made, title=Put(["both"]), gone=Put(ABSENT)))
    assert body["title"] == ["both"]
    assert "gone" not in body
    decisions = {readable(one.path): one for one in resolved(made, title=Put("new")).decisions}
    assert decisions["title"].kind == "combined"
    assert decisions["title"].resolver == "chosen"
    assert decisions["title"].versions.keys() == {str(rev) for rev in made.now().live}


def test_paths_as_pointers_and_by_identity() -> None:
    made = document()
    choices: dict[str, Choice] = {"/address/city": Put("D"), "l[id=1].done": Put("yes")}
    planned = made.plan("manual", choices={"title": Put("t"), "gone": Put(3), **choices})
    body = result(made, planned)
    assert body["address"]["city"] == "D"
    assert body["l"][0] == {"id": 1, "done": "yes"}


def test_what_was_not_to_be_decided_may_be_chosen_all_the_same() -> None:
    made = document()
    body = result(made, resolved(made, n=Put(7), fresh=Put({"x": 1})))
    assert body["n"] == 7
    assert body["fresh"] == {"x": 1}


def test_a_whole_object_and_a_part_of_it() -> None:
    made = document()
    _, other = bodies(made)
    chosen = {"address": Take("other"), "address.zip": Put(9), "title": Put("t"), "gone": Put(1)}
    for order in (list(chosen), list(reversed(chosen))):
        planned = made.plan("manual", choices={path: chosen[path] for path in order})
        body = result(made, planned)
        assert body["address"] == {**other["address"], "zip": 9}


def test_a_part_of_what_is_open_as_a_whole() -> None:
    made = Growing()
    made.forked({"a": {"x": 1}}, {"a": {"x": 2}}, {})
    with pytest.raises(UsageError, match=r"a\.x cannot be chosen by itself"):
        made.plan("manual", choices={"a.x": Put(3)})
    body = result(made, made.plan("manual", choices={"a": Put({"x": 2}), "a.x": Put(3)}))
    assert body == {"a": {"x": 3}}


@pytest.mark.parametrize(
    ("path", "choice"),
    [
        ("title.x", Put(1)),
        ("nowhere.x", Put(1)),
        ("l[0]", Put(1)),
        ("_id", Put("x")),
        ("_rev", Put("1-a")),
        ("_attachments.x.digest", Put("d")),
        ("title", Arrange("current")),
        ("l", Arrange("current")),
        ("a b", Put(1)),
        ("/a~", Put(1)),
    ],
)
def test_what_cannot_be_chosen(path: str, choice: Choice) -> None:
    with pytest.raises(UsageError) as problem:
        resolved(document(), **{path: choice})
    assert problem.value.hint


def test_what_is_not_json() -> None:
    deep: JSON = 1
    for _ in range(201):
        deep = [deep]
    for value in (float("nan"), {1, 2}, ("a",), "\ud800", {1: 2}, deep):
        with pytest.raises(DocumentInvalid):
            resolved(document(), title=Put(value))


def test_one_path_twice() -> None:
    with pytest.raises(UsageError, match="the same path"):
        resolved(document(), **{"/title": Put(1)})


def test_choices_are_for_manual_only() -> None:
    for strategy in ("merge", "keep-current", "delete"):
        with pytest.raises(UsageError, match="takes no choices"):
            document().plan(strategy, choices={"title": Put(1)})
        with pytest.raises(UsageError, match="takes no choices"):
            document().plan(strategy, body={})


def test_how_a_list_is_arranged() -> None:
    made = Growing()
    a, b, c = ({"id": name} for name in "abc")
    made.forked({"l": [a, b, c]}, {"l": [c, a, b]}, {"l": [b, c, a]})
    assert [one.aspect for one in made.plan("merge").unresolved] == ["order"]
    current, other = bodies(made)
    for name, chosen in (("current", current), ("other", other)):
        assert result(made, made.plan("manual", choices={"l": Arrange(name)})) == chosen
    reversed_list = [c, b, a]
    assert (
        result(made, made.plan("manual", choices={"l": Put(reversed_list)}))["l"] == reversed_list
    )
    assert result(made, made.plan("manual", choices={"l": Take("other")})) == other


# --- a whole body


def test_a_whole_body_is_taken_as_it_is() -> None:
    made = document()
    body = {"z": 1, "title": "mine", "a": [3, 1]}
    planned = made.plan("manual", body={"_id": "doc", "_rev": "9-x", **body})
    assert planned.ready
    assert planned.write is not None
    assert list(planned.write.fields.items()) == list(body.items())
    assert same(result(made, planned), body)
    named = {readable(one.path) for one in planned.decisions}
    assert named == {"z", "title", "a", "address", "gone", "n", "l"}
    assert all(one.resolver == "chosen" for one in planned.decisions)


def test_the_winners_body_needs_no_write() -> None:
    made = document()
    current, _ = bodies(made)
    planned = made.plan("manual", body=current)
    assert planned.ready
    assert planned.write is None
    assert len(planned.tombstones) == 1


@pytest.mark.parametrize("body", [{"_member": 1}, {"a": float("inf")}, {"_attachments": []}])
def test_what_is_no_body(body: dict[str, Any]) -> None:
    with pytest.raises(DocumentInvalid):
        document().plan("manual", body=body)


def test_choices_and_a_body_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        document().plan("manual", choices={"title": Put(1)}, body={"title": 1})


def with_files() -> Growing:
    made = Growing()
    made.forked(
        {"a": 1},
        {"a": 2, "_attachments": {"one": FILE}},
        {"a": 3, "_attachments": {"two": OTHER_FILE}},
    )
    return made


def test_a_body_that_says_nothing_of_attachments_keeps_them() -> None:
    """Leaving `_attachments` out of a document deletes them all: not by oversight."""
    planned = with_files().plan("manual", body={"a": 9})
    assert planned.write is not None
    assert [one.name for one in planned.write.attachments] == ["one", "two"]
    gone = with_files().plan("manual", body={"a": 9, "_attachments": {}})
    assert gone.write is not None
    assert gone.write.attachments == ()


def test_a_body_names_attachments_of_versions() -> None:
    planned = with_files().plan("manual", body={"a": 9, "_attachments": {"new": OTHER_FILE}})
    assert planned.write is not None
    (one,) = planned.write.attachments
    assert (one.name, one.source_name, one.carried) == ("new", "two", True)
    unknown = {**FILE, "digest": "md5-AAAAAAAAAAAAAAAAAAAAAA=="}
    missing = with_files().plan("manual", body={"a": 9, "_attachments": {"new": unknown}})
    assert not missing.ready
    assert "no version has the content of the attachment new" in missing.sentence


def test_attachments_in_conflict_are_chosen_by_name() -> None:
    made = Growing()
    made.forked({"a": 1}, {"_attachments": {"f": FILE}}, {"_attachments": {"f": OTHER_FILE}})
    planned = made.plan("merge")
    assert [readable(one.path) for one in planned.unresolved] == ["_attachments.f"]
    _, other = bodies(made)
    assert not made.plan("manual", body={"a": 1}).ready  # says nothing of them
    taken = made.plan("manual", choices={"_attachments.f": Take("other")})
    assert taken.write is not None
    assert taken.write.body["_attachments"] == other["_attachments"]
    both = made.plan("merge", Policy(attachments="keep-both"))
    assert both.write is not None
    loser = made.now().live[1]
    names = [(one.name, one.carried, one.source_name) for one in both.write.attachments]
    assert names == [("f", False, "f"), (f"f (conflict {str(loser)[:6]})", True, "f")]


def test_a_chosen_deletion_keeps_the_document() -> None:
    made = Growing()
    root = made.edit(None, a=1)
    made.edit(root, a=2)
    tombstone = made.delete(root)
    planned = made.plan("manual", choices={"a": Put(3)})
    assert planned.ready
    assert planned.acknowledge == (tombstone,)


# --- as JSON


def test_choices_as_json() -> None:
    given = {
        "a": {"take": "2-ab"},
        "b": {"value": None},
        "c": {"absent": True},
        "d": {"arrange": "other"},
    }
    assert choices_from_json(given) == {
        "a": Take("2-ab"),
        "b": Put(None),
        "c": Put(ABSENT),
        "d": Arrange("other"),
    }


@pytest.mark.parametrize(
    "given",
    [
        [],
        {"a": 1},
        {"a": {}},
        {"a": {"take": 1}},
        {"a": {"absent": False}},
        {"a": {"take": "x", "value": 1}},
        {"a": {"choose": "x"}},
    ],
)
def test_what_is_no_choices(given: JSON) -> None:
    with pytest.raises(UsageError, match="is not allowed"):
        choices_from_json(given)
