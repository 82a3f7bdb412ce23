"""`couchmend policy`: what it tells of files, databases and conflicts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from couchmend.replica.opening import open_replica
from couchmend.settings import load
from tests.cli.running import couchmend, couchmend_here
from tests.engine.studying.databases import planner

SLOW_COUNTER = """
[policies.task]
match = { type = "task" }
[policies.task.fields]
pomodoros = "counter"
status = { prefer = ["done", "in_progress", "todo"] }
[policies.task.auto]
max_severity = { merge_candidates = "critical" }
"""


@pytest.fixture
def database(tmp_path: Path) -> str:
    address = f"file:{tmp_path / 'planner.couch'}"
    with open_replica(address) as replica:
        planner(replica, 20)
    return address


def test_check_tells_every_mistake_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[policies.a]\nno_ancestor = "maybe"\nfeilds = {}\n')
    done = couchmend_here("policy", "check", "p.toml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    told = done.stderr.splitlines()
    assert any(line.startswith("couchmend: p.toml:2:") and '"manual"' in line for line in told)
    assert any(line.startswith("couchmend: p.toml:3:") and "fields" in line for line in told)
    told_as_json = couchmend_here("policy", "check", "p.toml", "--json", cwd=tmp_path)
    found = json.loads(told_as_json.stdout)
    assert told_as_json.returncode == 2
    assert [one["key"][-1] for one in found["problems"]] == ["no_ancestor", "feilds"]


def test_check_tells_which_documents_a_policy_is_for(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(SLOW_COUNTER + '[policies.n]\nids = ["n-*"]\n[policies.x]\n')
    done = couchmend_here("policy", "check", "p.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        'task: documents that match {"type":"task"}',
        "n: ids like n-*",
        "x: databases that name it",
    ]


def test_what_is_suggested_is_a_policy_that_can_be_tried(database: str, tmp_path: Path) -> None:
    done = couchmend("policy", "suggest", database, "-o", "new.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("new.toml: 4 policies from 80 documents and 10 conflicts; ")
    again = couchmend_here("policy", "suggest", database, "-o", "new.toml", cwd=tmp_path)
    assert again.returncode == 2
    assert "there is a file already" in again.stderr
    checked = couchmend_here("policy", "check", "new.toml", cwd=tmp_path)
    assert (checked.returncode, len(checked.stdout.splitlines())) == (0, 4)
    told = couchmend_here("policy", "suggest", database, "--json", cwd=tmp_path)
    found = json.loads(told.stdout)
    assert (found["documents"], found["read"], found["in_conflict"]) == (80, 80, 10)
    assert couchmend_here("policy", "suggest", database, cwd=tmp_path).stdout.startswith("# ")


def test_a_policy_is_tried_beside_the_usual_rules(database: str, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(SLOW_COUNTER)
    arguments = ("policy", "test", database, "--policy", "new.toml")
    done = couchmend_here(*arguments, "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert found["conflicts"] == 10
    assert found["by_type"] == {
        "edit_edit": {
            "before": {"automatic": 0, "waiting": 10}, "after": {"automatic": 0, "waiting": 0},
        },
        "merge_candidates": {
            "before": {"automatic": 0, "waiting": 0}, "after": {"automatic": 10, "waiting": 0},
        },
    }  # fmt: skip
    assert len(found["changed"]) == 10
    assert all(one["after"]["strategy"] == "merge" for one in found["changed"])
    people = couchmend_here(*arguments, cwd=tmp_path)
    assert "10 of 10 conflicts change:" in people.stdout
    assert "edit_edit critical, waits → merge_candidates high, merge" in people.stdout

    same = couchmend_here(*arguments, "--against", "new.toml", cwd=tmp_path)
    assert "nothing changes for any of them" in same.stdout


def test_trying_writes_nothing(database: str, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(SLOW_COUNTER)
    with open_replica(database) as replica:
        before = replica.info().update_seq
    couchmend_here("policy", "test", database, "--policy", "new.toml", cwd=tmp_path)
    couchmend_here("policy", "suggest", database, cwd=tmp_path)
    with open_replica(database) as replica:
        assert replica.info().update_seq == before
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".couch", ".toml"]


def test_what_cannot_be_tried_is_told(database: str, tmp_path: Path) -> None:
    alone = couchmend_here("policy", "test", database, cwd=tmp_path)
    assert alone.returncode == 2
    assert "there is no policy to try" in alone.stderr
    (tmp_path / "new.toml").write_text(SLOW_COUNTER)
    gone = couchmend_here("policy", "test", "file:gone.couch", "--policy", "new.toml", cwd=tmp_path)
    assert gone.returncode == 3
    assert "gone" in gone.stderr


def test_a_policy_is_tried_on_what_the_journal_has(database: str, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(SLOW_COUNTER)
    (tmp_path / "couchmend.toml").write_text(
        f'[journal]\nurl = "sqlite:///journal.db"\n[[databases]]\nname = "planner"\n'
        f'url = "{database}"\npolicy = "plain"\n[policies.plain]\n'
    )
    assert couchmend_here("sweep", cwd=tmp_path).returncode == 1
    arguments = ("policy", "test", "--pending", "--policy", "new.toml", "--json")
    done = couchmend_here(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["databases"], found["conflicts"]) == (["planner"], 10)
    assert found["by_type"]["edit_edit"]["before"] == {"automatic": 0, "waiting": 10}
    assert found["by_type"]["merge_candidates"]["after"] == {"automatic": 10, "waiting": 0}
    assert {one["before"]["policy"] for one in found["changed"]} == {"plain"}
    both = couchmend_here("policy", "test", database, "--pending", cwd=tmp_path)
    assert both.returncode == 2


def test_what_is_suggested_may_name_the_database(database: str, tmp_path: Path) -> None:
    arguments = ("policy", "suggest", database, "--mode", "auto", "-o", "couchmend.toml")
    assert couchmend_here(*arguments, cwd=tmp_path).returncode == 0
    settings = load(config=tmp_path / "couchmend.toml")
    (known,) = settings.databases
    assert (known.name, known.mode) == ("planner", "auto")
    assert couchmend_here("config", "check", cwd=tmp_path).returncode == 0
    wrong = couchmend_here("policy", "suggest", database, "--mode", "automatic", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "observe, suggest, auto" in wrong.stderr
