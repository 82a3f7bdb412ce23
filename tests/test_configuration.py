"""Settings, policies and hooks read together: all mistakes at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couchmend.configuration import load_all
from couchmend.errors import UsageError
from couchmend.settings import ConfigurationError
from couchmend.settings.reference import toml, toml_key
from couchmend.settings.sections import SECTIONS, TABLES, fields_of

Write = Callable[[str], Path]

WHOLE = """\
profile = "production"

[journal]
url = "sqlite:///var/lib/couchmend/journal.db"

[[databases]]
url = "https://couch.example.org/team-*"
mode = "auto"
policy = "tasks"
rollout = 25

[hooks]
on_plan = "mine:check"

[policies.tasks]
match = { type = "task" }
identity_keys = ["id"]
[policies.tasks.fields]
tags = "set"
[policies.tasks.auto]
max_severity = { edit_edit = "low" }
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "couchmend.toml"
        file.write_text(text)
        return file

    return write


def wrong(file: Path) -> tuple[str, ...]:
    """What is said of a file."""
    with pytest.raises(ConfigurationError) as caught:
        load_all(config=file, environment={})
    return caught.value.problems


def test_everything_at_once(write: Write) -> None:
    file = write(WHOLE)
    (file.parent / "mine.py").write_text("def check(planned):\n    return 'no'\n")
    found = load_all(config=file, environment={})
    assert found.settings.databases[0].policy == ("tasks",)
    assert found.settings.databases[0].rollout == 25
    assert found.settings.journal.address() == "sqlite:////var/lib/couchmend/journal.db"
    assert found.policies.named("tasks").name == "tasks"
    assert [hook(None) for hook in found.hooks["on_plan"]] == ["no"]
    assert found.origins["profile"] == f"{file}:1"
    assert found.origins["journal.url"] == f"{file}:4"


def test_five_mistakes_are_five(write: Write) -> None:
    file = write(
        """\
profile = "prodution"
[[databases]]
url = "https://couch.example.org/notes"
mode = "automatic"
policy = ["tasks", "notse"]
[policies.tasks.fields]
tags = "sett"
[policies.notes]
identity_key = ["id"]
"""
    )
    problems = wrong(file)
    assert len(problems) == 5
    for problem, said in zip(
        problems,
        (
            [":1: profile", "'prodution'", '"production"', "did you mean production?"],
            [":4: databases[0].mode", "'automatic'", '"auto"', "did you mean auto?"],
            [":5: databases[0].policy", "'notse'", "did you mean notes?"],
            [":7: policies.tasks.fields.tags", "'sett'", "set"],
            [":9: ", "policies.notes.identity_key", "identity_keys"],
        ),
        strict=True,
    ):
        assert [part for part in said if part not in problem] == []
        assert problem.startswith(f"{file}:")


def test_what_the_environment_says_wrong_comes_last(write: Write) -> None:
    file = write("[logs]\nlevel = 'loud'\n[policies.x]\nfoo = 1\n")
    with pytest.raises(ConfigurationError) as caught:
        load_all(config=file, environment={"COUCHMEND_ENGINE__CONCURRENCY": "0"})
    assert [problem.partition(" ")[0] for problem in caught.value.problems] == [
        f"{file}:2:",
        f"{file}:4:",
        "environment",
    ]


def test_the_default_policy_need_not_be_written(write: Write) -> None:
    file = write("[[databases]]\nurl = 'http://a/b'\npolicy = 'default'\n")
    assert load_all(config=file, environment={}).settings.databases[0].policy == ("default",)
    file = write("[[databases]]\nurl = 'http://a/b'\npolicy = 'other'\n")
    assert "there are default" in wrong(file)[0]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "mine has no check"),
        ("check = 3", "it is int, not a function"),
        ("raise ValueError('no licence')", "ValueError: no licence"),
    ],
)
def test_hooks_that_cannot_be_loaded(write: Write, code: str, said: str) -> None:
    file = write("[hooks]\non_resolved = ['mine:check']\n")
    (file.parent / "mine.py").write_text(code)
    (problem,) = wrong(file)
    assert problem.startswith(f"{file}:2: hooks.on_resolved = 'mine:check' cannot be loaded: ")
    assert said in problem


def test_hooks_are_taken_from_the_file_only(write: Write) -> None:
    file = write("")
    with pytest.raises(ConfigurationError, match="on_plan stands in the file only"):
        load_all(config=file, environment={"COUCHMEND_HOOKS__ON_PLAN": "os:system"})


def test_without_a_file_there_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = load_all(environment={})
    assert (len(found.policies), found.settings.databases, dict(found.hooks)) == (0, (), {})


def test_what_is_no_toml(write: Write) -> None:
    with pytest.raises(UsageError, match="must be TOML"):
        load_all(config=write("a = \n"), environment={})


NAMES = st.sampled_from(
    [*SECTIONS, *TABLES, "policies", "match", "fields", "auto", "checksum", "severity", "x"]
    + [name for kind in (*SECTIONS.values(), *TABLES.values()) for name in fields_of(kind)]
).filter(bool)
ANYTHING = st.recursive(
    st.booleans()
    | st.integers(-10, 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["auto", "http://a/b", "22:00-06:00", "mine:check", "sqlite:///x.db", "*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(given=st.dictionaries(NAMES, ANYTHING, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_a_file_says_is_taken_or_told_in_sentences(
    write: Write, given: dict[str, object]
) -> None:
    file = write("".join(f"{toml_key(name)} = {toml(value)}\n" for name, value in given.items()))
    told: tuple[str, ...] = ("taken: all of it",)
    try:
        load_all(config=file, environment={})
    except ConfigurationError as problem:
        told = problem.problems
    assert told
    assert all(": " in one for one in told)
