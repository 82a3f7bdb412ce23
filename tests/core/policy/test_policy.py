"""Policies: which rule holds for which path of which documents, and their plain data."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import JSON
from couchmend.core.paths import Element, Path
from couchmend.core.policy.builtin import BUILTIN
from couchmend.core.policy.data import PolicyError, Problem
from couchmend.core.policy.metadata import CHECKSUM, DEVICE, IGNORED, TIMESTAMP, checksum_of
from couchmend.core.policy.parts import TYPES, Auto
from couchmend.core.policy.policy import DATA_KEYS, DEFAULT, PLAIN, Policy, Rule, choose
from couchmend.core.policy.resolvers import Context, Form, Resolver
from couchmend.core.values import ABSENT, Value


def rule(policy: Policy, *path: Any) -> Rule | None:
    return policy.rules.at(path)


def name(policy: Policy, *path: Any) -> str:
    found = rule(policy, *path)
    return "" if found is None else found.resolver.name


# --- rules


def test_a_field_has_the_resolver_that_its_pattern_names() -> None:
    policy = Policy(
        fields={
            "tags": "set",
            "local": "local",
            "status": {"prefer": ["done", "todo"]},
            "settings.**": "latest",
            "subtasks[].estimate": "max",
            '"a.b"': "manual",
        }
    )
    assert name(policy, "tags") == "set"
    assert name(policy, "local") == "current"
    assert name(policy, "status") == 'prefer:["done", "todo"]'
    assert name(policy, "settings") == ""
    assert name(policy, "settings", "theme", "color") == "latest"
    assert name(policy, "subtasks", Element("id", 7), "estimate") == "max"
    assert name(policy, "a.b") == "manual"
    assert name(policy, "a", "b") == ""
    assert rule(policy, "other") is None
    found = rule(policy, "tags")
    assert found is not None
    assert (found.resolver.form, found.metadata) == (Form.SET, False)


def test_a_form_of_lists_leaves_their_elements_to_other_rules() -> None:
    policy = Policy(fields={"**": "latest", "subtasks": "keyed", "notes": "text", "pos": "atomic"})
    assert name(policy, "subtasks") == "keyed"
    assert name(policy, "subtasks", Element("id", 1), "title") == "latest"
    assert name(policy, "notes", "en") == "text"
    assert name(policy, "pos", "x") == "atomic"
    alone = Policy(fields={"subtasks": "keyed"})
    assert rule(alone, "subtasks", Element("id", 1), "title") is None


def test_metadata_has_resolvers_of_its_own() -> None:
    policy = Policy(
        device_fields=["by", "meta.device"],
        ignore_fields=["cache.**", "views"],
        checksum={"field": "sum"},
    )
    assert rule(policy, "updatedAt") == Rule(TIMESTAMP, metadata=True)
    assert rule(policy, "mtime") == Rule(TIMESTAMP, metadata=True)
    assert rule(policy, "by") == rule(policy, "meta", "device") == Rule(DEVICE, metadata=True)
    assert rule(policy, "cache", "a", "b") == rule(policy, "views") == Rule(IGNORED, metadata=True)
    assert rule(policy, "sum") == Rule(CHECKSUM, metadata=True)
    assert rule(policy, "deviceId") is None  # the policy names its own
    assert rule(policy, "cache") is None
    # names mean something at the root only
    assert rule(policy, "author", "updatedAt") is None


def test_a_rule_for_metadata_replaces_its_resolver_and_leaves_it_metadata() -> None:
    policy = Policy(fields={"updatedAt": "min", '"mtime"': "current", "updated": "max"})
    assert rule(policy, "updatedAt") == Rule(BUILTIN["min"], metadata=True)
    assert rule(policy, "mtime") == Rule(BUILTIN["current"], metadata=True)
    assert rule(policy, "updated") == Rule(BUILTIN["max"], metadata=True)


def test_a_less_specific_rule_leaves_metadata_alone() -> None:
    policy = Policy(fields={"*": "latest", "**": "max"}, timestamp_fields=["meta.changed"])
    assert rule(policy, "meta", "changed") == Rule(TIMESTAMP, metadata=True)
    assert name(policy, "meta", "other") == "latest"


def test_timestamps_in_elements_are_metadata_too_where_a_pattern_says_so() -> None:
    policy = Policy(timestamp_fields=["changed", "subtasks[].changed"])
    assert rule(policy, "subtasks", 0, "changed") == Rule(TIMESTAMP, metadata=True)
    assert policy.version("x", {"subtasks": [{"changed": 5}]}).timestamp is None
    assert policy.version("x", {"changed": 5}).timestamp == 5_000_000


def test_plain_has_no_metadata() -> None:
    for member in ("updatedAt", "deviceId", "_id", "x"):
        assert rule(PLAIN, member) is None
    assert PLAIN.identity_keys == DEFAULT.identity_keys == ("_id", "id", "uuid", "key")
    assert PLAIN.version("x", {"updatedAt": 1, "deviceId": "a"}).timestamp is None


# --- versions


@pytest.mark.parametrize(
    ("body", "timestamp", "device"),
    [
        ({"updatedAt": "1970-01-01T00:00:01Z", "deviceId": "phone"}, 1_000_000, "phone"),
        ({"mtime": 1_000_000_000_000}, 10**15, None),
        ({"modified": 2, "updatedAt": 1}, 1_000_000, None),
        ({"updatedAt": None, "modified": 2}, 2_000_000, None),
        ({"updatedAt": "soon", "modified": 2}, None, None),  # the first present counts
        ({"device_id": 7}, None, "7"),
        ({"updatedBy": {"id": 1}}, None, None),
        ({"title": "x"}, None, None),
        ({}, None, None),
        ([1], None, None),
        (None, None, None),
    ],
)
def test_a_version_says_when_and_where_it_was_written(
    body: Value, timestamp: int | None, device: str | None
) -> None:
    version = DEFAULT.version("2-ab", body)
    assert version.name == "2-ab"
    assert version.body is body
    assert (version.timestamp, version.device) == (timestamp, device)


def test_several_timestamps_count_in_the_order_of_the_policy() -> None:
    body = {"a": 1, "b": 2}
    assert Policy(timestamp_fields=["b", "a"]).version("x", body).timestamp == 2_000_000
    assert Policy(timestamp_fields=["c.d", "a"]).version("x", body).timestamp == 1_000_000
    nested = {"c": {"d": 3}, **body}
    assert Policy(timestamp_fields=["c.d", "a"]).version("x", nested).timestamp == 3_000_000


def test_a_timestamp_far_ahead_is_suspect_and_counts_all_the_same() -> None:
    policy = Policy(clock_skew_seconds=10)
    version = policy.version("x", {"updatedAt": 100})
    assert version.timestamp == 100_000_000
    assert policy.is_suspect(version, now=89_999_999)
    assert not policy.is_suspect(version, now=90_000_000)
    assert not policy.is_suspect(policy.version("x", {}), now=0)


def test_the_version_of_a_schema() -> None:
    policy = Policy(schema_version_field="meta.v")
    assert policy.schema_version({"meta": {"v": 2}}) == 2
    assert policy.schema_version({"meta": {}}) is ABSENT
    assert DEFAULT.schema_version({"version": 2}) is ABSENT


def test_the_merged_body_is_sealed_with_its_checksum() -> None:
    policy = Policy(checksum={"field": "sum", "over": ["a"], "algorithm": "md5"})
    assert policy.checksum is not None
    body = {"sum": "old", "a": 1}
    assert policy.sealed(body) == {"sum": checksum_of(body, policy.checksum), "a": 1}
    assert policy.sealed({"a": 1}) == {"a": 1}
    assert DEFAULT.sealed(body) is body
    kept = Policy(checksum={"field": "sum"}, fields={"sum": "other"})
    assert kept.sealed(body) is body


# --- severity


@pytest.mark.parametrize(
    ("path", "weight"),
    [
        (("status",), "critical"),
        (("status", "x", 0), "critical"),
        (("dueDate",), "high"),
        (("subtasks", Element("id", 1), "done"), "medium"),
        (("subtasks", Element("id", 1), "title"), "medium"),
        (("notes",), "other"),
        ((), "other"),
    ],
)
def test_paths_are_weighty_by_default(path: Path, weight: str) -> None:
    assert DEFAULT.severity_of(path) == weight


def test_severity_merges_class_by_class_and_what_is_named_leaves_its_default_class() -> None:
    policy = Policy(severity={"critical": ["price", "tags", "subtasks[].title"], "medium": []})
    expected = {
        "price": "critical", "tags": "critical", "status": "other", "title": "other",
        "priority": "high", "dueDate": "high", "description": "other",
    }  # fmt: skip
    assert {field: policy.severity_of((field,)) for field in expected} == expected
    assert policy.severity_of(("subtasks", 3, "title")) == "critical"
    assert policy.severity_of(("subtasks", 3, "done")) == "other"
    lowered = Policy(severity={"high": ["status"]})
    assert lowered.severity_of(("status",)) == "high"
    assert lowered.severity_of(("title",)) == "critical"
    assert lowered.severity_of(("priority",)) == "other"


# --- what may be done without a person


def test_what_may_be_done_without_a_person_by_default() -> None:
    auto = DEFAULT.auto
    assert auto == Auto()
    assert auto.max_severity == {
        "merge_candidates": "critical",
        "edit_edit": "medium",
        "edit_delete": "never",
        "version_mismatch": "never",
        "checksum_mismatch": "never",
    }
    assert auto.strategy == {
        "merge_candidates": "merge",
        "edit_edit": "last-write-wins",
        "edit_delete": "manual",
        "version_mismatch": "manual",
        "checksum_mismatch": "manual",
    }
    assert auto.min_time_gap_seconds == 60
    assert set(auto.strategy) == set(auto.max_severity) == set(TYPES)


def test_auto_merges_key_by_key() -> None:
    auto = Policy(
        auto={
            "max_severity": {"edit_edit": "low"},
            "strategy": {"edit_delete": "preserve-non-deleted", "edit_edit": "custom:mine"},
        }
    ).auto
    assert auto.max_severity["edit_edit"] == "low"
    assert auto.max_severity["merge_candidates"] == "critical"
    assert auto.strategy["edit_delete"] == "preserve-non-deleted"
    assert auto.strategy["edit_edit"] == "custom:mine"
    assert auto.strategy["merge_candidates"] == "merge"
    assert auto.min_time_gap_seconds == 60
    aliases = {"edit_edit": "local", "edit_delete": "remote"}
    strategies = Policy(auto={"strategy": aliases}).auto.strategy
    assert (strategies["edit_edit"], strategies["edit_delete"]) == ("keep-current", "keep-other")


# --- resolvers of one's own


def latest_wins(base: Value, current: Value, other: Value, context: Context) -> Value:
    """The later one.

    And more."""
    return other


def test_resolvers_of_ones_own_are_given_by_name() -> None:
    mine = Resolver("whatever", latest_wins, timed=True)
    policy = Policy(fields={"a": "mine", "b": "function"}, resolvers={
        "mine": mine, "function": latest_wins,
    })  # fmt: skip
    a, b = rule(policy, "a"), rule(policy, "b")
    assert a is not None
    assert b is not None
    assert a.resolver == dataclasses.replace(mine, name="mine")
    assert (b.resolver.name, b.resolver.about) == ("function", "The later one.")
    assert a.resolver.idempotent
    assert not b.resolver.idempotent  # a function that does not say so is taken not to be


def test_a_function_may_say_what_it_is() -> None:
    def union(base: Value, current: Value, other: Value, context: Context) -> Value:
        return other

    union.idempotent = True  # type: ignore[attr-defined]
    union.timed = True  # type: ignore[attr-defined]
    policy = Policy(fields={"a": "union"}, resolvers={"union": union})
    found = rule(policy, "a")
    assert found is not None
    assert (found.resolver.idempotent, found.resolver.timed) == (True, True)
    assert policy.uses_non_idempotent({"a": 1}) == []


# --- resolvers that are not idempotent


@pytest.mark.parametrize(
    ("fields", "body", "found"),
    [
        ({}, {"n": 1}, []),
        ({"n": "max"}, {"n": 1}, []),
        ({"n": "counter"}, {}, []),
        ({"n": "counter"}, {"n": 1, "m": 2}, [(("n",), "counter")]),
        ({"n": "counter"}, {"n": None}, [(("n",), "counter")]),
        ({"n": "counter"}, {"x": {"n": 1}}, []),
        ({"stats.*": "counter", "log": "append"}, {"log": [], "stats": {"a": 1, "b": {"c": 2}}},
         [(("log",), "append"), (("stats", "a"), "counter"), (("stats", "b"), "counter")]),
        ({"items[].n": "counter"}, {"items": [{"n": 1}, {}, {"n": 2}]},
         [(("items", 0, "n"), "counter"), (("items", 2, "n"), "counter")]),
        ({"a": "latest", "a.n": "counter"}, {"a": {"n": 1, "m": 2}}, [(("a", "n"), "counter")]),
        ({"a": "latest", "**.n": "counter"}, {"a": {"n": 1}}, []),  # the rule for a holds
        ({"**": "counter"}, {"a": {"n": 1}}, [(("a",), "counter")]),
        ({"updatedAt": "counter"}, {"updatedAt": 1}, [(("updatedAt",), "counter")]),
    ],
)  # fmt: skip
def test_which_paths_are_given_to_a_resolver_that_is_not_idempotent(
    fields: dict[str, JSON], body: Value, found: list[tuple[Path, str]]
) -> None:
    assert Policy(fields=fields).uses_non_idempotent(body) == found


# --- which documents


@pytest.mark.parametrize(
    ("match", "ids", "doc", "found"),
    [
        (None, (), {"_id": "x"}, True),
        ({"type": "task"}, (), {"_id": "x", "type": "task"}, True),
        ({"type": "task"}, (), {"_id": "x", "type": "note"}, False),
        ({"type": {"$in": ["a", "b"]}, "n": {"$gt": 3}}, (), {"_id": "x", "type": "b", "n": 4},
         True),
        ({"_id": {"$gt": "m"}}, (), {"_id": "a"}, False),
        (None, ["task-*"], {"_id": "task-1"}, True),
        (None, ["task-*"], {"_id": "Task-1"}, False),
        (None, ["task-*"], {"_id": "a-task-1"}, False),
        (None, ["note-?", "task-[0-9]"], {"_id": "task-7"}, True),
        (None, ["a*"], {}, False),
        ({"type": "task"}, ["a*"], {"_id": "ab", "type": "task"}, True),
        ({"type": "task"}, ["a*"], {"_id": "ab"}, False),
        ({"type": "task"}, ["a*"], {"_id": "b", "type": "task"}, False),
        ({}, (), {"_id": "x"}, True),
    ],
)  # fmt: skip
def test_which_documents_a_policy_is_for(
    match: dict[str, JSON] | None, ids: list[str], doc: dict[str, JSON], found: bool
) -> None:
    assert Policy(match=match, ids=ids).matches(doc) is found


def test_the_first_policy_that_matches_is_chosen() -> None:
    tasks = Policy(name="tasks", match={"type": "task"})
    mine = Policy(name="mine", ids=["my-*"])
    default = Policy(name="default", identity_keys=["nr"])
    for order in ([tasks, mine, default], [default, tasks, mine]):
        assert choose(order, {"_id": "my-1", "type": "task"}) is tasks
        assert choose(order, {"_id": "my-1"}) is mine
        assert choose(order, {"_id": "x"}) is default
    assert choose([mine, tasks], {"_id": "my-1", "type": "task"}) is mine
    assert choose([tasks], {"_id": "x"}) is DEFAULT
    assert choose([], {"_id": "x"}) is DEFAULT


# --- plain data

FULL: dict[str, Any] = {
    "match": {"type": "task"},
    "ids": ["task-*"],
    "fields": {"tags": "set", "n": "counter", "status": {"prefer": ["done", 1, None]}},
    "identity_keys": ["id", "nr"],
    "timestamp_fields": ["meta.at"],
    "device_fields": [],
    "ignore_fields": ["cache.**"],
    "checksum": {
        "field": '"my sum"',
        "algorithm": "sha1",
        "over": ["title", "items[].q"],
        "form": "json",
    },
    "schema_version_field": "v",
    "severity": {"critical": ["price"], "high": [], "medium": ["tags"]},
    "auto": {
        "max_severity": dict.fromkeys(TYPES, "low"),
        "strategy": dict.fromkeys(TYPES, "merge"),
        "min_time_gap_seconds": 5,
    },
    "no_ancestor": "union",
    "attachments": "keep-both",
    "dead_branches": "report",
    "clock_skew_seconds": 1.5,
}


def test_plain_data_comes_back_as_it_was_given() -> None:
    assert set(FULL) == set(DATA_KEYS)
    policy = Policy.from_data(FULL, name="tasks")
    assert policy.to_data() == FULL
    assert json.loads(json.dumps(policy.to_data())) == FULL
    assert Policy.from_data(policy.to_data(), name="tasks") == policy


def test_what_is_as_by_default_is_not_in_the_data() -> None:
    assert Policy().to_data() == {}
    assert Policy.from_data({}) == Policy() == DEFAULT
    written = {"fields": {"a": "local", "b": 'prefer:["x"]'}, "clock_skew_seconds": 300}
    assert Policy.from_data(written).to_data() == {
        "fields": {"a": "current", "b": {"prefer": ["x"]}}
    }


def test_the_digest_is_of_what_bears_on_a_merge() -> None:
    policy = Policy.from_data(FULL, name="tasks")
    assert len(policy.digest) == 64
    assert Policy.from_data(FULL, name="other").digest == policy.digest
    for key in DATA_KEYS:
        less = Policy.from_data({k: v for k, v in FULL.items() if k != key}, name="tasks")
        assert (less.digest == policy.digest) is (key in ("match", "ids")), key
        assert less != policy


def shuffled(draw: st.DrawFn, data: Any) -> Any:
    if isinstance(data, dict):
        keys = draw(st.permutations(list(data)))
        return {key: shuffled(draw, data[key]) for key in keys}
    return data


@given(st.data())
def test_the_order_of_keys_is_no_difference(data: st.DataObject) -> None:
    policy = Policy.from_data(FULL)
    other = Policy.from_data(shuffled(data.draw, FULL))  # type: ignore[arg-type]
    assert other.digest == policy.digest
    assert other == policy
    assert hash(other) == hash(policy)


def test_the_order_of_a_list_may_be() -> None:
    one = Policy(timestamp_fields=["a", "b"])
    assert one.digest != Policy(timestamp_fields=["b", "a"]).digest
    prefer = [Policy(fields={"a": {"prefer": values}}) for values in (["x", "y"], ["y", "x"])]
    assert prefer[0].digest != prefer[1].digest


def test_defaults_that_are_given_are_no_difference() -> None:
    assert Policy(auto={"max_severity": {"edit_edit": "medium"}}).digest == DEFAULT.digest
    assert Policy(severity={"high": ["dueDate", "priority", "completed", "projectId"]}) == DEFAULT


def test_a_policy_does_not_change() -> None:
    match = {"type": {"$in": ["a"]}}
    values = ["x"]
    policy = Policy(match=match, fields={"a": {"prefer": values}})
    digest = policy.digest
    match["type"]["$in"].append("b")
    values.append("y")
    assert not policy.matches({"_id": "1", "type": "b"})
    assert policy.to_data()["fields"] == {"a": {"prefer": ["x"]}}
    assert policy.digest == digest
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        policy.fields["b"] = "max"  # type: ignore[index]


def test_a_policy_can_be_made_from_another() -> None:
    policy = Policy.from_data(FULL, name="tasks")
    assert dataclasses.replace(policy) == policy
    stricter = dataclasses.replace(policy, no_ancestor="manual")
    assert stricter.no_ancestor == "manual"
    assert stricter.digest != policy.digest
    assert {**stricter.to_data(), "no_ancestor": "union"} == policy.to_data()
    with pytest.raises(PolicyError, match="no_ancestor"):
        dataclasses.replace(policy, no_ancestor="x")  # type: ignore[arg-type]


def test_a_policy_reads_well() -> None:
    assert repr(Policy()) == "Policy(name='default')"
    assert repr(Policy(name="tasks", fields={"tags": "set"})) == (
        "Policy(name='tasks', fields={'tags': 'set'})"
    )
    assert len(repr(Policy.from_data(FULL))) < 160
    assert DEFAULT != "default"


# --- mistakes


def problems(data: Any, **more: Any) -> list[str]:
    with pytest.raises(PolicyError) as refused:
        Policy.from_data(data, name="tasks", **more)
    assert refused.value.message == "; ".join(one.message for one in refused.value.problems)
    return [problem.message for problem in refused.value.problems]


MISTAKES: list[tuple[dict[str, Any], str, list[str]]] = [
    # data, the key that is named, what is said of it
    ({"feilds": {}}, "feilds", ["there is no setting", "did you mean policies.tasks.fields?"]),
    ({"xyz": 1}, "xyz", ["there is no setting", "policies.tasks has match, ids, fields"]),
    ({"fields": []}, "fields", ["= []", "a table"]),
    ({"fields": {"status": "lastest"}}, "fields.status", ["'lastest'", "did you mean latest?"]),
    ({"fields": {"status": "zzz"}}, "fields.status", ["there are current, other, latest"]),
    ({"fields": {"a b": "max"}}, 'fields."a b"', ["at character 2"]),
    ({"fields": {"a": 7}}, "fields.a", ["= 7", "the name of a resolver"]),
    ({"fields": {"a": {"preferr": []}}}, "fields.a", ["{ prefer = [values] }"]),
    ({"fields": {"a": {"prefer": []}}}, "fields.a", ["a list of values"]),
    ({"fields": {"a": {"prefer": "done"}}}, "fields.a", ["a list of values"]),
    ({"fields": {"a": {"prefer": [float("nan")]}}}, "fields.a", ["nan is not a JSON number"]),
    ({"fields": {"a": "prefer:done"}}, "fields.a", ["{ prefer ="]),
    ({"fields": {"a": "os:system"}}, "fields.a", ["from a configuration file only"]),
    ({"fields": {"a": "max", '"a"': "min"}}, r'fields."\"a\""', ["fields.a is the same pattern"]),
    ({"identity_keys": "id"}, "identity_keys", ["'id'", "a list of texts"]),
    ({"identity_keys": ["id", 1]}, "identity_keys", ["= 1", "a list of texts"]),
    ({"identity_keys": ["id", "id"]}, "identity_keys", ["'id'", "twice"]),
    ({"timestamp_fields": [""]}, "timestamp_fields", ["a list of texts"]),
    ({"device_fields": ["a..b"]}, "device_fields", ["at character 3"]),
    ({"ignore_fields": None}, "ignore_fields", ["None", "a list of texts"]),
    ({"schema_version_field": 1}, "schema_version_field", ["the name of a member"]),
    ({"schema_version_field": "a.*"}, "schema_version_field", ["without *"]),
    ({"checksum": "sum"}, "checksum", ["'sum'", "a table"]),
    ({"checksum": {}}, "checksum", ["it has a field"]),
    ({"checksum": {"field": "*"}}, "checksum.field", ["without *"]),
    ({"checksum": {"field": "s", "over": "title"}}, "checksum.over", ['it is "*"']),
    ({"checksum": {"field": "s", "over": ["**"]}}, "checksum.over", ["without **"]),
    ({"checksum": {"field": "s", "algorithm": "sha265"}}, "checksum.algorithm",
     ['"md5", "sha1", "sha256" or "sha512"', "did you mean sha256?"]),
    ({"checksum": {"field": "s", "forms": 1}}, "checksum.forms", ["policies.tasks.checksum.form?"]),
    ({"severity": {"hihg": []}}, "severity.hihg", ["did you mean policies.tasks.severity.high?"]),
    ({"severity": {"high": "a"}}, "severity.high", ["a list of texts"]),
    ({"severity": {"high": ["a"], "medium": ["a"]}}, "severity.medium", ["severity.high, too"]),
    ({"severity": {"high": ["a["]}}, "severity.high", ["at character 2"]),
    ({"auto": {"max_severity": {"edit_edit": "lo"}}}, "auto.max_severity.edit_edit",
     ["'lo'", '"never", "low", "medium", "high" or "critical"', "did you mean low?"]),
    ({"auto": {"max_severity": {"edit-edit": "low"}}}, "auto.max_severity.edit-edit",
     ["did you mean policies.tasks.auto.max_severity.edit_edit?"]),
    ({"auto": {"strategy": {"edit_edit": "last_write_wins"}}}, "auto.strategy.edit_edit",
     ['"merge", "last-write-wins"', "did you mean last-write-wins?"]),
    ({"auto": {"strategy": {"edit_edit": "custom:"}}}, "auto.strategy.edit_edit", ["custom:"]),
    ({"auto": {"min_time_gap": 5}}, "auto.min_time_gap",
     ["did you mean policies.tasks.auto.min_time_gap_seconds?"]),
    ({"auto": {"min_time_gap_seconds": -1}}, "auto.min_time_gap_seconds", ["a number of seconds"]),
    ({"no_ancestor": "unoin"}, "no_ancestor", ['"manual", "union" or "last-write-wins"', "union?"]),
    ({"attachments": "both"}, "attachments", ['"manual" or "keep-both"']),
    ({"dead_branches": True}, "dead_branches", ['"ignore" or "report"']),
    ({"clock_skew_seconds": True}, "clock_skew_seconds", ["= True", "a number of seconds"]),
    ({"clock_skew_seconds": float("nan")}, "clock_skew_seconds", ["a number of seconds"]),
    ({"clock_skew_seconds": "5m"}, "clock_skew_seconds", ["'5m'", "a number of seconds"]),
    ({"match": "task"}, "match", ["'task'", "a table"]),
    ({"match": {"type": {"$eqq": 1}}}, "match", ["$eqq", "Mango"]),
    ({"ids": "task-*"}, "ids", ["a list of texts"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "key", "said"), MISTAKES, ids=lambda row: str(row)[:40])
def test_a_mistake_is_named_with_its_key_and_what_is_allowed(
    data: dict[str, Any], key: str, said: list[str]
) -> None:
    (message,) = problems(data)
    assert f"policies.tasks.{key}" in message
    for part in said:
        assert part in message


def test_all_mistakes_are_told_at_once() -> None:
    found = problems(
        {
            "fields": {"a": "mux", "b": "max", "c..": "max"},
            "severity": {"low": []},
            "atuo": {},
            "no_ancestor": 1,
        }
    )
    assert len(found) == 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max": latest_wins}, "built in"),
        ({"local": latest_wins}, "built in"),
        ({"mine": 5}, "a Resolver or a function"),
    ],
)
def test_resolvers_of_ones_own_are_checked(given: Any, said: str) -> None:
    (message,) = problems({}, resolvers=given)
    assert "policies.tasks.resolvers." in message
    assert said in message


def test_a_resolver_of_ones_own_is_suggested_for_a_misspelt_one() -> None:
    (message,) = problems({"fields": {"a": "stauts"}}, resolvers={"status": latest_wins})
    assert "did you mean status?" in message


def test_a_long_value_is_told_in_part() -> None:
    (message,) = problems({"no_ancestor": "x" * 1000})
    assert len(message) < 300


junk: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(
                ["field", "over", "high", "strategy", "edit_edit", "prefer", "$or", ""]
            ),
            inner,
            max_size=2,
        ),
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*DATA_KEYS, "x"]), junk, max_size=3))
def test_no_data_fails_but_by_saying_what_is_wrong(data: dict[str, Any]) -> None:
    found: list[Problem] = []
    try:
        policy = Policy.from_data(data)
    except PolicyError as problem:
        found += problem.problems
    else:
        assert Policy.from_data(policy.to_data()) == policy
        return
    assert found
    assert all(one.key[:2] == ("policies", "default") for one in found)


def test_attachments_are_merged_by_name() -> None:
    with pytest.raises(PolicyError, match="_attachments"):
        Policy(fields={"_attachments": "latest"})
    assert Policy(fields={"_attachments.*": "latest"}).fields
