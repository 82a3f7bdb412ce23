"""`couchmend archive`: show, restore, forget."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.cli.queueing import Site, site

FILE = {
    "_attachments": {
        "photo.png": {"content_type": "image/png", "data": base64.b64encode(b"x" * 999).decode()}
    }
}


@pytest.fixture
def here(tmp_path: Path) -> Site:
    """Resolved, with an attachment that lost."""
    made = site(tmp_path, more={"file": ({**FILE, "title": "a"}, {"title": "b"})})
    made.told("conflicts", "resolve", made.number("open"), "--yes")
    body = json.dumps({"title": "b", "_attachments": {}})
    made.told("conflicts", "resolve", made.number("file"), "--body", "-", "--yes", stdin=body)
    return made


def test_show_lists_versions_and_attachments(here: Site) -> None:
    shown = here.told("archive", "show", "notes", "open")
    assert "Call Anna today" in shown
    assert "Call Bob" in shown
    shown = here.told("archive", "show", "notes", "file")
    assert "photo.png" in shown
    assert "999 bytes" in shown
    told = here.lines("archive", "show", "notes", "file")
    assert [one["attachment"] for one in told if "attachment" in one] == ["photo.png"]
    revs = [one["rev"] for one in told if "rev" in one and "body" in one]
    assert revs == sorted(revs, reverse=True)


def test_one_version(here: Site) -> None:
    told = here.lines("archive", "show", "notes", "open")
    rev = next(one["rev"] for one in told if one["body"] and one["body"]["title"] == "Call Anna")
    body = json.loads(here.told("archive", "show", "notes", "open", "--rev", rev))
    assert (body["_id"], body["title"]) == ("open", "Call Anna")
    done = here.run("archive", "show", "notes", "open", "--rev", "7-zz")
    assert done.returncode == 2
    assert "is not kept" in done.stderr


def test_restore_writes_over_the_winner(here: Site) -> None:
    told = here.lines("archive", "show", "notes", "open")
    rev = next(one["rev"] for one in told if one["body"]["title"] == "Call Anna today")
    shown = here.told("archive", "restore", "notes", "open", rev, "--preview")
    assert "Call [-Bob-]{+Anna today+}" in shown
    assert here.doc("open")["title"] == "Call Bob"
    done = here.told("archive", "restore", "notes", "open", rev[:8], "--yes")
    assert "take it back: couchmend undo" in done
    assert here.doc("open")["title"] == "Call Anna today"
    again = here.run("archive", "restore", "notes", "open", rev, "--yes")
    assert again.returncode == 4
    assert "says the same" in again.stderr
    here.told("undo", done.split()[-1], "--yes")
    assert here.doc("open")["title"] == "Call Bob"


def test_restore_of_a_deleted_document_brings_attachments_back(here: Site) -> None:
    with here.notes() as notes:
        notes.delete("file", notes.get("file")["_rev"])
    told = here.lines("archive", "show", "notes", "file")
    rev = next(one["rev"] for one in told if "_attachments" in (one.get("body") or {}))
    here.told("archive", "restore", "notes", "file", rev, "--yes")
    with here.notes() as notes:
        assert notes.attachment("file", "photo.png").read() == b"x" * 999


def test_forget_erases_with_a_record(here: Site) -> None:
    done = here.run("archive", "forget", "notes", "file")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert "erased" in here.told("archive", "forget", "notes", "file", "--yes")
    assert here.run("archive", "show", "notes", "file").returncode == 1
    assert here.doc("file")["title"] in ("a", "b")
    undo = here.run("undo", "2", "--yes")
    assert undo.returncode != 0
    import sqlite3

    with sqlite3.connect(here.folder / "journal.db") as journal:
        actions = [row[0] for row in journal.execute("SELECT action FROM access")]
    journal.close()
    assert "forgot" in actions


def test_nothing_kept(here: Site) -> None:
    done = here.run("archive", "show", "notes", "none")
    assert done.returncode == 1
    assert "keeps nothing" in done.stderr
    assert here.run("archive", "show", "nots", "open").returncode == 2


def test_a_preview_for_programs(here: Site) -> None:
    rev = here.lines("archive", "show", "notes", "open")[-1]["rev"]
    (told,) = here.lines("archive", "restore", "notes", "open", rev, "--preview")
    assert (told["id"], told["restored"], told["preview"]) == ("open", rev, True)
    assert here.lines("archive", "show", "notes", "open")[-1]["body"] == told["body"]
