"""Policies from a configuration file, and the resolvers that they name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from couchmend import policies, settings
from couchmend.core.policy.data import PolicyError
from couchmend.core.policy.policy import DEFAULT, Policy
from couchmend.core.policy.resolvers import Context, Resolver, Unresolved
from couchmend.core.policy.versions import Version
from couchmend.errors import UsageError
from couchmend.policies import Policies

Write = Callable[[str], Path]

CONTEXT = Context((), Version("a", {}), Version("b", {}, rank=1), {}, base_exact=True)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "couchmend.toml"
        file.write_text(text)
        return file

    return write


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Writes a module beside the configuration file."""
    before = set(sys.modules)

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that is installed, with entry points."""
    site = tmp_path / "site"
    (site / "acme_rules-1.0.dist-info").mkdir(parents=True)
    (site / "acme_rules-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.0\n"
    )
    (site / "acme_rules-1.0.dist-info" / "entry_points.txt").write_text(
        "[couchmend.resolvers]\n"
        "acme-status = acme_rules:status\n"
        "acme-known = acme_rules:KNOWN\n"
        "acme-missing = acme_rules:missing\n"
        "acme-broken = acme_broken:status\n"
    )
    (site / "acme_rules.py").write_text(
        "from couchmend.core.policy.resolvers import Resolver\n"
        "def status(base, current, other, context):\n"
        "    return max(current, other)\n"
        "KNOWN = Resolver('x', status, idempotent=True, timed=True)\n"
    )
    (site / "acme_broken.py").write_text("raise RuntimeError('no licence')\n")
    before = set(sys.modules)
    monkeypatch.syspath_prepend(site)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refused(file: Path) -> list[str]:
    """What is said of a file."""
    with pytest.raises(PolicyError) as problem:
        policies.load(file)
    return [one.message for one in problem.value.problems]


def resolver(found: Policies, policy: str, field: str) -> Resolver:
    rule = found.named(policy).rules.at((field,))
    assert rule is not None
    return rule.resolver


# --- reading

EXAMPLE = """
profile = "production"

[policies.tasks]
match = { type = "task" }
identity_keys = ["id"]
[policies.tasks.fields]
tags = "set"
completedPomodoros = "counter"
status = { prefer = ["done", "in_progress", "todo"] }
"settings.**" = "latest"
[policies.tasks.auto]
max_severity = { edit_edit = "low" }

[policies.notes]
ids = ["note-*"]
fields.body = "text"

[policies.archive]
no_ancestor = "union"
"""


def test_a_file_is_read(write: Write) -> None:
    found = policies.load(write(EXAMPLE))
    assert [policy.name for policy in found] == ["tasks", "notes", "archive"]
    tasks = found.named("tasks")
    assert tasks == Policy(
        name="tasks",
        match={"type": "task"},
        identity_keys=["id"],
        fields={
            "tags": "set",
            "completedPomodoros": "counter",
            "status": {"prefer": ["done", "in_progress", "todo"]},
            "settings.**": "latest",
        },
        auto={"max_severity": {"edit_edit": "low"}},
    )
    assert resolver(found, "notes", "body").name == "text"


def test_a_file_may_have_none(write: Write) -> None:
    found = policies.load(write("profile = 'x'\n"))
    assert len(found) == 0
    assert found.default is DEFAULT
    assert found.named("default") is DEFAULT


@pytest.mark.parametrize(
    ("doc", "name"),
    [
        ({"_id": "x", "type": "task"}, "tasks"),
        ({"_id": "note-1", "type": "task"}, "tasks"),
        ({"_id": "note-1"}, "notes"),
        ({"_id": "x"}, "default"),
    ],
)
def test_the_first_that_matches_is_chosen_for_a_document(
    write: Write, doc: dict[str, Any], name: str
) -> None:
    assert policies.load(write(EXAMPLE)).choose(doc).name == name


def test_only_who_names_it_has_one_that_says_nothing_of_documents(write: Write) -> None:
    found = policies.load(write(EXAMPLE))
    assert found.choose({"_id": "x"}, ["archive"]).name == "archive"
    assert found.choose({"_id": "note-1"}, ["tasks", "archive"]).name == "archive"
    assert found.choose({"_id": "x"}, ["tasks", "notes"]) is DEFAULT


def test_a_default_of_ones_own_is_for_the_rest(write: Write) -> None:
    found = policies.load(write("[policies.default]\nfields.a = 'max'\n" + EXAMPLE.replace(
        'profile = "production"', "")))  # fmt: skip
    assert found.choose({"_id": "x"}) is found.default
    assert found.choose({"_id": "x"}, ["tasks"]) is found.default
    assert found.choose({"_id": "note-1"}).name == "notes"
    assert resolver(found, "default", "a").name == "max"


def test_one_that_does_not_exist_is_not_chosen(write: Write) -> None:
    found = policies.load(write(EXAMPLE))
    with pytest.raises(UsageError, match=r"there is no policy 'taks' \(did you mean tasks\?\)"):
        found.named("taks")
    with pytest.raises(UsageError, match=r"there are tasks, notes, archive, default"):
        found.choose({"_id": "x"}, ["zzz"])


# --- mistakes


def test_every_mistake_is_told_with_its_line(write: Write) -> None:
    file = write(
        """
[policies.tasks]
match = { type = "task" }
timestamp_field = ["a"]
[policies.tasks.fields]
tags = "sett"
"settings.**" = "latst"
[policies.other]
fields.a = "max"
fields.b = "mux"
no_ancestor = 1
auto = { max_severity = { edit_edit = "lo" } }
[policies.other.auto2]
"""
    )
    lines = {
        4: "there is no setting policies.tasks.timestamp_field (did you mean",
        6: "policies.tasks.fields.tags = 'sett' is not allowed: there is no such resolver",
        7: "policies.tasks.fields.\"settings.**\" = 'latst' is not allowed",
        10: "policies.other.fields.b = 'mux' is not allowed",
        11: "policies.other.no_ancestor = 1 is not allowed",
        12: "policies.other.auto.max_severity.edit_edit = 'lo' is not allowed",
        13: "there is no setting policies.other.auto2",
    }
    found = refused(file)
    assert len(found) == len(lines)
    for number, said in lines.items():
        assert any(one.startswith(f"{file}:{number}: {said}") for one in found), (number, found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policies = 1", "policies = 1 is not allowed: it is a table [policies.NAME]"),
        ("[policies]\ntasks = 1", "policies.tasks = 1 is not allowed: it is a table"),
        ("[[policies]]\nname = 'x'", "it is a table [policies.NAME]"),
    ],
)
def test_what_is_no_table_is_refused(write: Write, text: str, said: str) -> None:
    (message,) = refused(write(text))
    assert "couchmend.toml:" in message
    assert said in message


def test_mistakes_are_told_in_the_order_of_the_file(write: Write) -> None:
    said = refused(
        write(
            "[policies.a]\nclock_skew_seconds = -1\nidentity_keys = 3\n"
            '[policies.a.fields]\nx = "mx"\ny = "no.such.module:f"\n'
            "[policies.b]\nmatch = 1\n"
        )
    )
    assert [int(message.split(":")[1]) for message in said] == [2, 3, 5, 6, 8]


def test_a_file_that_cannot_be_read_is_an_error(write: Write, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read: No such file or directory$"):
        policies.load(tmp_path / "missing.toml")
    with pytest.raises(UsageError, match=r"must be TOML"):
        policies.load(write("a = "))


# --- resolvers of one's own


def test_a_function_beside_the_file(write: Write, module: Callable[[str, str], None]) -> None:
    module("rules", "def longer(base, current, other, context):\n    return current + other\n")
    found = policies.load(write('[policies.a]\nfields.x = "rules:longer"\n'))
    custom = resolver(found, "a", "x")
    assert custom.name == "rules:longer"
    assert not custom.idempotent
    assert custom.decide("", "a", "b", CONTEXT) == "ab"


def test_a_changed_file_counts(write: Write, module: Callable[[str, str], None]) -> None:
    file = write('[policies.a]\nfields.x = "rules:f"\n')
    for number in (1, 22, 333):
        module("rules", f"def f(base, current, other, context):\n    return {number}\n")
        assert resolver(policies.load(file), "a", "x").decide(0, 1, 2, CONTEXT) == number


def test_a_function_that_is_installed_and_one_of_a_class(write: Write, installed: None) -> None:
    found = policies.load(write('[policies.a]\nfields.x = "acme_rules:KNOWN.resolve"\n'))
    assert resolver(found, "a", "x").decide(0, 1, 2, CONTEXT) == 2


def test_a_dataclass_beside_the_file_works(
    write: Write, module: Callable[[str, str], None]
) -> None:
    module(
        "rules",
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Taking:\n"
        "    which: int\n"
        "    def __call__(self, base, current, other, context):\n"
        "        return [current, other][self.which]\n"
        "second = Taking(1)\n",
    )
    found = policies.load(write('[policies.a]\nfields.x = "rules:second"\n'))
    assert resolver(found, "a", "x").decide(0, 1, 2, CONTEXT) == 2


def test_an_entry_point_by_its_name(write: Write, installed: None) -> None:
    found = policies.load(
        write('[policies.a.fields]\nx = "acme-status"\ny = "acme-known"\nz = "acme-status"\n')
    )
    assert resolver(found, "a", "x").decide(0, 1, 2, CONTEXT) == 2
    assert resolver(found, "a", "z") == resolver(found, "a", "x")
    known = resolver(found, "a", "y")
    assert (known.name, known.idempotent, known.timed) == ("acme-known", True, True)


def test_one_that_fails_leaves_the_value_open(
    write: Write, module: Callable[[str, str], None]
) -> None:
    module("rules", "def f(base, current, other, context):\n    return current['x']\n")
    found = policies.load(write('[policies.a]\nfields.x = "rules:f"\n'))
    decided = resolver(found, "a", "x").decide(0, {}, {}, CONTEXT)
    assert decided == Unresolved("it failed with KeyError: 'x'")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rules:missing", "rules has no missing (did you mean missing_one?)"),
        ("rules:NUMBER", "it is int, not a function"),
        ("rules:few", "it does not take (base, current, other, context)"),
        ("rules:few.x", "rules has no x"),
        ("broken:f", "ZeroDivisionError"),
        ("syntax:f", "SyntaxError"),
        ("there_is_no_such_module:f", "ModuleNotFoundError"),
        ("acme-missing", "AttributeError"),
        ("acme-broken", "RuntimeError: no licence"),
    ],
)
def test_what_cannot_be_loaded_is_told_with_its_line(
    write: Write, module: Callable[[str, str], None], installed: None, name: str, said: str
) -> None:
    module("rules", "def missing_one(a, b, c, d): ...\nNUMBER = 1\ndef few(a, b): ...\n")
    module("broken", "1 / 0\n")
    module("syntax", "def\n")
    file = write(f'[policies.a]\n[policies.a.fields]\nx = "{name}"\ny = "mux"\n')
    first, second = refused(file)
    assert first.startswith(f"{file}:3: policies.a.fields.x = '{name}' cannot be loaded: ")
    assert said in first
    assert second.startswith(f"{file}:4: policies.a.fields.y = 'mux'")


def test_installed_ones_are_known_to_programs(
    installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="acme-missing = acme_rules:missing"):
        policies.registered()
    points = tmp_path / "site" / "acme_rules-1.0.dist-info" / "entry_points.txt"
    points.write_text("[couchmend.resolvers]\nacme-status = acme_rules:status\n")
    found = policies.registered()
    assert set(found) == {"acme-status"}
    policy = Policy.from_data({"fields": {"x": "acme-status"}}, resolvers=found)
    rule = policy.rules.at(("x",))
    assert rule is not None
    assert rule.resolver.decide(0, 1, 2, CONTEXT) == 2


def test_code_is_taken_from_files_only() -> None:
    with pytest.raises(PolicyError, match="from a configuration file only"):
        Policy.from_data({"fields": {"x": "os:getcwd"}})


def test_a_file_with_policies_and_settings_is_read_by_both(tmp_path: Path) -> None:
    file = tmp_path / "couchmend.toml"
    file.write_text('[replica_server]\nport = 6000\n\n[policies.tasks.fields]\ntags = "set"\n')
    assert settings.load(config=file, environment={}).replica_server.port == 6000
    assert policies.load(file).named("tasks").fields == {"tags": "set"}
