"""`couchmend history` and `couchmend undo`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.queueing import Site, site


@pytest.fixture
def here(tmp_path: Path) -> Site:
    """With a resolution each of `open` (1) and `merging` (2)."""
    made = site(tmp_path)
    for id in ("open", "merging"):
        made.told("conflicts", "resolve", made.number(id), "--yes")
    return made


def test_history(here: Site) -> None:
    shown = here.told("history")
    assert shown.index("merging") < shown.index("open")
    assert "last-write-wins" in shown
    told = here.lines("history", "--document", "open")
    assert [one["id"] for one in told] == [1]
    assert told[0]["started_at"].endswith("Z")
    assert told[0]["elapsed"] > 0
    assert here.lines("history", "--by", "auto") == []
    assert len(here.lines("history", "--since", "1h", "--database", "notes")) == 2
    assert here.lines("history", "--until", "1h") == []
    page = here.run("history", "--limit", "1", "--json")
    assert "--after 2" in page.stderr
    assert [one["id"] for one in here.lines("history", "--limit", "1", "--after", "2")] == [1]
    assert "Nothing was done" in here.told("history", "--document", "none")


def test_undo_by_number(here: Site) -> None:
    assert here.doc("open")["title"] == "Call Bob"
    told = here.told("undo", "1", "--preview")
    assert "write" in told
    assert len(here.lines("history")) == 2
    here.told("undo", "1")
    assert here.lines("history", "--document", "open")[1]["undone_by"] == 3
    done = here.run("undo", "1")
    assert done.returncode == 4
    assert "taken back already" in done.stderr
    assert "taken back by 3" in here.told("history")


def test_reopen_brings_the_conflict_back(here: Site) -> None:
    told = here.told("undo", "1", "--reopen", "--yes")
    assert "so is the conflict" in told
    assert here.doc("open")["_conflicts"]
    here.sweep()
    (again,) = [one for one in here.lines("conflicts", "list") if one["document"] == "open"]
    assert again["excluded"] is True


def test_a_range(here: Site) -> None:
    preview = here.lines("undo", "--since", "1h", "--database", "notes", "--preview")
    assert [one["resolution"] for one in preview] == [2, 1]
    assert here.lines("undo", "--since", "1h", "--by", "auto", "--preview") == [{"undone": 0}]
    assert [
        one["resolution"]
        for one in here.lines("undo", "--since", "1h", "--strategy", "merge", "--preview")
    ] == [2]
    done = here.run("undo", "--since", "1h")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert "2 of 2 resolutions were taken back" in here.told("undo", "--since", "1h", "--yes")
    assert here.lines("undo", "--since", "1h", "--preview") == [{"undone": 0}]


def test_what_cannot_be_taken_back_is_said(tmp_path: Path) -> None:
    here = site(tmp_path)
    here.told("conflicts", "resolve", here.number("merging"), "--set", "status=done", "--yes")
    with here.notes() as notes:
        notes.put({**notes.get("merging"), "status": "archived"})
    told = here.told("undo", "1", "--preview")
    assert "cannot" in told
    assert "status was changed again since, and stays as it is" in told
    here.told("undo", "1", "--yes")
    assert here.doc("merging")["status"] == "archived"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--since 2h"),
        (["1", "--since", "1h"], "exclude each other"),
        (["99"], "no resolution 99"),
        (["--since", "yesterday"], "2h"),
        (["--since", "1h", "--strategy", "marge"], "did you mean merge?"),
        (["--since", "1h", "--database", "note"], "did you mean notes?"),
    ],
)
def test_wrong_arguments(here: Site, arguments: list[str], said: str) -> None:
    done = here.run("undo", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
