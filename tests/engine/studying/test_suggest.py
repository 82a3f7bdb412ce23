"""What is suggested of databases whose documents are known: right, and with true figures."""

from __future__ import annotations

import json
import random
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchmend import policies as files
from couchmend.core.policy.policy import DEFAULT, Policy
from couchmend.engine.studying.as_json import as_json
from couchmend.engine.studying.as_toml import as_toml
from couchmend.engine.studying.sampling import sample
from couchmend.engine.studying.study import Study, study
from couchmend.engine.studying.suggesting import suggest
from couchmend.engine.studying.suggestion import SuggestedPolicy, Suggestion
from couchmend.engine.studying.trying import Chooser, tried
from couchmend.policies import Policies
from couchmend.replica.base import Replica
from couchmend.replica.opening import open_replica
from tests.engine.studying.databases import NOW, Writer, iso, planner


@pytest.fixture
def replica() -> Iterator[Replica]:
    with open_replica(":memory:") as opened:
        yield opened


def loaded(made: Study, policies: list[SuggestedPolicy]) -> Policies:
    """The policies that the text says; they are what the suggestions say is certain."""
    text = as_toml(made, policies)
    found = files.from_tables(tomllib.loads(text).get("policies", {}), file=Path("p"), text=text)
    assert [one.name for one in found] == [one.name for one in policies]
    for read, one in zip(found, policies, strict=True):
        assert read.to_data() == Policy.from_data(one.table(), name=one.name).to_data()
    json.dumps(as_json(made, policies))
    return found


def suggested(replica: Replica) -> dict[str, SuggestedPolicy]:
    made = study(replica, NOW)
    policies = suggest(made)
    loaded(made, policies)
    return {one.name: one for one in policies}


def said(policy: SuggestedPolicy, *key: str) -> Suggestion:
    (found,) = [one for one in policy.suggestions if one.key == key]
    return found


def test_a_planners_types_are_told_apart(replica: Replica) -> None:
    planner(replica)
    found = suggested(replica)
    assert set(found) == {"task", "note", "order", "reading"}
    assert all(one.match == {"type": name} for name, one in found.items())
    assert {one.documents for one in found.values()} == {40}
    assert {name: one.conflicts for name, one in found.items()} == {
        "task": 20, "note": 0, "order": 0, "reading": 0,
    }  # fmt: skip


def test_of_tasks_it_finds_what_they_are_made_of(replica: Replica) -> None:
    planner(replica)
    task = suggested(replica)["task"]
    assert task.table() == {
        "match": {"type": "task"},
        "timestamp_fields": ["updatedAt"],
        "device_fields": ["deviceId"],
        "fields": {"pomodoros": "counter", "tags": "set", "subtasks": "keyed"},
    }
    # 20 documents with one edit that is still there, and 20 conflicts with two leaves.
    counter = said(task, "fields", "pomodoros")
    assert counter.figures == {
        "edits": 60, "changed": 60, "up": 60, "down": 0, "by_one": 40, "furthest": 2,
        "conflicts_both_up": 20, "conflicts_contested": 20,
    }  # fmt: skip
    assert "60 up, 0 down, 40 by exactly one" in counter.reason
    assert "in 20 conflicts both sides raised it" in counter.reason
    assert task.collisions["status"] == (20, 20)
    status = said(task, "fields", "status")
    assert not status.certain
    assert status.figures == {"open": 20, "different": 3}
    assert sorted(status.value["prefer"]) == ["done", "in_progress", "todo"]
    times = said(task, "timestamp_fields").figures["updatedAt"]
    assert times == {"values": 40, "instants": 40, "ahead": 0, "edits": 60, "later": 60}
    # A date that is due does not say when something was written, a rank is no counter.
    assert not [one for one in task.suggestions if one.key == ("fields", "priority")]
    assert "dueDate" not in str(task.table())


def test_of_notes_it_finds_the_text_and_a_stamp_of_another_name(replica: Replica) -> None:
    planner(replica)
    note = suggested(replica)["note"]
    assert note.table()["timestamp_fields"] == ["stamp"]
    assert note.table()["fields"] == {"body": "text"}
    assert said(note, "fields", "body").figures["several_lines"] == 20
    edits = said(note, "fields", "edits")
    assert (edits.certain, edits.value) == (False, "max")
    assert "may number the edits" in edits.reason


def test_of_orders_it_finds_the_identity_the_checksum_and_the_schema(replica: Replica) -> None:
    planner(replica)
    order = suggested(replica)["order"]
    table = order.table()
    assert table["identity_keys"] == ["_id", "id", "uuid", "key", "sku"]
    assert table["fields"] == {"lines": "keyed"}
    assert said(order, "fields", "lines").figures == {
        "lists": 40, "of_several": 40, "edited": 40, "identity": "sku",
    }  # fmt: skip
    assert table["checksum"] == {
        "field": "checksum", "algorithm": "sha256", "form": "canonical-json",
    }  # fmt: skip
    assert table["schema_version_field"] == "schemaVersion"


def test_of_readings_nothing_is_made_up(replica: Replica) -> None:
    planner(replica)
    reading = suggested(replica)["reading"]
    assert reading.table() == {"match": {"type": "reading"}}
    assert not [one for one in reading.suggestions if one.key[-1] == "position"]


def test_a_counter_is_never_guessed_without_edits(replica: Replica) -> None:
    writer = Writer(replica)
    for number in range(30):
        writer.new(f"page-{number}", {"views": number, "likes": 3})
    found = suggested(replica)["default"]
    assert "fields" not in found.table()
    for name in ("views", "likes"):
        one = said(found, "fields", name)
        assert (one.value, one.certain) == ("counter", False)
        assert "no edit of it is left to look at" in one.reason
    replica.compact()
    assert "fields" not in suggested(replica)["default"].table()


def test_a_value_that_people_set_is_no_counter(replica: Replica) -> None:
    writer = Writer(replica)
    for number in range(20):
        doc = writer.new(f"item-{number}", {"stars": 1 + number % 5, "price": 1000})
        writer.edit(doc, stars=5 - number % 5, price=1000 + 100 * number)
    assert "fields" not in suggested(replica)["default"].table()


def test_lists_whose_order_matters_are_no_sets(replica: Replica) -> None:
    writer = Writer(replica)
    for number in range(20):
        doc = writer.new(f"list-{number}", {"steps": ["a", "b", "c"], "letters": ["a", "a"]})
        writer.edit(doc, steps=["c", "b", "a"])
    found = suggested(replica)["default"]
    assert "fields" not in found.table()
    assert said(found, "fields", "steps").value == "sequence"
    assert said(found, "fields", "letters").figures["with_repeats"] == 20


def test_ids_tell_the_type_where_nothing_else_does(replica: Replica) -> None:
    writer = Writer(replica)
    for number in range(12):
        writer.new(f"bill:{number}", {"sum": number})
        writer.new(f"customer:{number}", {"name": f"N{number}"})
    found = suggested(replica)
    assert {name: one.ids for name, one in found.items()} == {
        "bill": ("bill:*",), "customer": ("customer:*",),
    }  # fmt: skip


def test_an_empty_database(replica: Replica) -> None:
    made = study(replica, NOW)
    assert suggest(made) == []
    assert len(loaded(made, [])) == 0
    assert "No document was found" in as_toml(made, [])


def test_a_database_of_one_document(replica: Replica) -> None:
    Writer(replica).new("only", {"type": "task", "tags": ["a", "b"], "updatedAt": iso(5)})
    found = suggested(replica)
    assert all("fields" not in one.table() for one in found.values())


def test_mixed_types_are_no_kind(replica: Replica) -> None:
    writer = Writer(replica)
    for number in range(30):
        value = [1, "one", None, [1], {"a": 1}, True, 1.5, 10**30][number % 8]
        writer.new(f"d{number}", {"value": value, "deep": {"of": {"value": value}}})
    assert suggested(replica)["default"].table() == {}


HOSTILE = ["a.b", 'q"uote', "new\nline", "[policies]", "#", "", "ünï", "\x7f", "a b", "$gt", "*",
           "**", "[]", "\\", "'", "\u2028", "🂡"]  # fmt: skip


def test_hostile_names_are_written_as_what_they_are(replica: Replica) -> None:
    writer = Writer(replica)
    for number in range(10):
        doc = writer.new(f"d{number}", {name: ["x", f"y{number}"] for name in HOSTILE})
        writer.edit(doc, **{"a.b": ["x"]})
    made = study(replica, NOW)
    (policy,) = loaded(made, suggest(made))
    for name in HOSTILE:
        rule = policy.rules.at((name,))
        assert (rule is not None and rule.resolver.name == "set") == bool(name), name


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=8).filter(lambda name: not name.startswith("_")),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.text(max_size=80),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(max_size=4), inner, max_size=3)
                ),
                max_leaves=6,
            ),
            max_size=5,
        ),
        max_size=12,
    )
)
def test_whatever_is_in_it_the_file_loads(bodies: list[dict[str, object]]) -> None:
    with open_replica(":memory:") as replica:
        writer = Writer(replica)
        for number, body in enumerate(bodies):
            writer.new(f"d-{number}", body)
            writer.new(f"e-{number}", {**body, "type": "e"})
        made = study(replica, NOW)
        loaded(made, suggest(made))


def test_a_sample_is_the_same_each_time_and_has_every_kind(replica: Replica) -> None:
    planner(replica)
    drawn = sample(replica, documents=30, conflicts=5)
    assert (drawn.documents, drawn.several, drawn.sampled) == (160, 20, 30)
    assert drawn == sample(replica, documents=30, conflicts=5)
    assert 30 <= len(drawn.picked) <= 35
    made = study(replica, NOW, documents=30)
    assert made.read == len({one.id for one in made.sample.picked})
    assert "a sample of 160" in as_toml(made, suggest(made))


def test_names_that_are_data_are_no_fields(replica: Replica) -> None:
    chance = random.Random(1)
    writer = Writer(replica)
    for number in range(30):
        votes = {f"user-{chance.randrange(10**9)}": ["a"] for _ in range(10)}
        writer.new(f"poll-{number}", {"votes": votes})
    found = suggested(replica)["default"]
    assert not [one for one in found.suggestions if "user-" in str(one.key)]


def test_what_it_suggests_resolves_what_waited_before(replica: Replica) -> None:
    planner(replica)
    made = study(replica, NOW)
    new = loaded(made, suggest(made))
    each = list(tried(replica, "planner", Chooser(Policies()), Chooser(new), NOW))
    assert len(each) == 20
    for one in each:
        assert one.before is not None
        assert one.after is not None
        assert one.before.policy == DEFAULT.name
        assert one.after.policy == "task"
        # status is critical and stays a person's; the counter is no conflict any more.
        assert (one.before.automatic, one.after.automatic) == (False, False)
        assert "pomodoros" not in one.after.reason
