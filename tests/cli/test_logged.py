"""What a command does is in the log file, where there is one, and in nothing that it prints."""

from __future__ import annotations

import json
from pathlib import Path

from couchmend.replica.embedded import EmbeddedReplica
from tests.cli.running import couchmend_here
from tests.engine.storing import fork


def test_a_sweep_is_logged(tmp_path: Path) -> None:
    with EmbeddedReplica.open(str(tmp_path / "notes.couch")) as replica:
        fork(replica, "shopping", {"a": 1}, {"a": 2}, {"a": 3})
    text = """
[journal]
url = "sqlite:///journal.db"
[[databases]]
url = "file:notes.couch"
name = "notes"
"""
    (tmp_path / "couchmend.toml").write_text(text)
    silent = couchmend_here("sweep", cwd=tmp_path)
    assert silent.returncode == 1
    assert sorted(file.name for file in tmp_path.iterdir() if "log" in file.name) == []
    (tmp_path / "couchmend.toml").write_text(
        text + '[logs]\nfile = "conflict.log"\nlevel = "debug"\n'
    )
    run = couchmend_here("sweep", "--full", cwd=tmp_path)
    assert "timestamp" not in run.stdout + run.stderr
    lines = [json.loads(line) for line in (tmp_path / "conflict.log").read_text().splitlines()]
    assert lines
    assert {line["database"] for line in lines} == {"notes"}
    assert "sweep.finished" in {line["event"] for line in lines}


def test_a_hook_of_the_file_has_its_say_in_what_a_person_decides(tmp_path: Path) -> None:
    with EmbeddedReplica.open(str(tmp_path / "notes.couch")) as replica:
        fork(replica, "shopping", {"a": 1}, {"a": 2}, {"a": 3})
    (tmp_path / "mine.py").write_text("def check(planned):\n    return 'not on a Tuesday'\n")
    (tmp_path / "couchmend.toml").write_text(
        """
[journal]
url = "sqlite:///journal.db"
[logs]
file = "conflict.log"
[hooks]
on_plan = "mine:check"
[[databases]]
url = "file:notes.couch"
name = "notes"
mode = "suggest"
"""
    )
    assert couchmend_here("sweep", cwd=tmp_path).returncode == 1
    run = couchmend_here("conflicts", "resolve", "1", "-s", "keep-current", "--yes", cwd=tmp_path)
    assert "not on a Tuesday" in run.stdout + run.stderr
    assert run.returncode != 0
    lines = [json.loads(line) for line in (tmp_path / "conflict.log").read_text().splitlines()]
    (vetoed,) = [line for line in lines if line["event"] == "resolution.failed"]
    assert (vetoed["type"], vetoed["documentId"]) == ("vetoed", "shopping")


def test_the_journal_that_is_configured_is_the_one_that_is_checked(tmp_path: Path) -> None:
    (tmp_path / "couchmend.toml").write_text('[journal]\nurl = "sqlite:///mine.db"\n')
    EmbeddedReplica.open(str(tmp_path / "notes.couch")).close()
    assert couchmend_here("sweep", "file:notes.couch", cwd=tmp_path).returncode == 0
    run = couchmend_here("journal", "check", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert f"{tmp_path}/mine.db" in run.stdout
    named = couchmend_here("journal", "check", "--journal", "sqlite:///mine.db", cwd=tmp_path)
    assert named.stdout == run.stdout
    wrong = couchmend_here("journal", "check", "--journal", "sqlite:mine.db", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "a journal is sqlite:////absolute/path" in wrong.stderr
