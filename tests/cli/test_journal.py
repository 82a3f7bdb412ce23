"""`couchmend journal`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from couchmend.cli import run
from couchmend.cli.exit_codes import NEEDS_ATTENTION, UNREACHABLE, WRONG_USAGE
from couchmend.journal.opening import open_journal
from couchmend.journal.tables import REVISION
from tests.journal.findings import notes, queued


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A journal with a conflict in it."""
    url = f"sqlite:///{tmp_path}/journal.db"
    with open_journal(url) as journal, journal.write() as tx:
        queued(tx, notes(tx), "a")
    return url


def test_check(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "check", "--journal", url]) == 0
    assert "sound" in capsys.readouterr().out
    path = Path(url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("UPDATE conflict_counts SET number = 5")
    assert run(["journal", "check", "--journal", url, "--json"]) == NEEDS_ATTENTION
    told = json.loads(capsys.readouterr().out)
    assert (told["sound"], len(told["problems"])) == (False, 1)


def test_nothing_to_upgrade(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "upgrade", "--journal", url]) == 0
    assert "already" in capsys.readouterr().out
    assert run(["journal", "downgrade", REVISION, "--journal", url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"journal": url, "before": REVISION, "version": REVISION, "backup": None}


def test_a_version_that_there_is_not(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "downgrade", "0999", "--journal", url]) == WRONG_USAGE
    assert "no version 0999" in capsys.readouterr().err


def test_export_to_a_file_that_only_its_owner_reads(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.jsonl"
    arguments = ["journal", "export", "--journal", url, "-o", str(file)]
    assert run(arguments) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines[0]["version"] == REVISION
    assert lines[-1]["rows"]["conflicts"] == 1
    assert run(arguments) == UNREACHABLE
    assert "not there" in capsys.readouterr().err


def test_copy(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    assert run(["journal", "copy", other, "--journal", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["conflicts"] == 1
    assert run(["journal", "copy", other, "--journal", url]) == WRONG_USAGE
    assert "something in it already" in capsys.readouterr().err


def test_none_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "check", "--journal", f"sqlite:///{tmp_path}/no.db"]) == UNREACHABLE
    assert "no journal" in capsys.readouterr().err
    assert run(["journal"]) == WRONG_USAGE
