"""`couchmend doctor`: why something is, or is not, a conflict, resolved, or seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.queueing import CONFIG, Site, site


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


def test_a_database_that_is_well(here: Site) -> None:
    shown = here.told("doctor", "notes")
    assert "✓  A sweep has seen all of its changes." in shown
    assert "The mode is suggest" in shown
    (told,) = here.lines("doctor", "notes")
    assert told["lag"] == 0
    assert told["paused"] == []


def test_what_is_wrong_is_said_with_what_helps(here: Site) -> None:
    here.told("pause", "notes")
    with here.notes() as notes:
        notes.put({"_id": "new"})
        notes.set_revs_limit(5)
    shown = here.told("doctor", "notes", code=1)
    assert "✗  It is paused" in shown
    assert "→ couchmend resume notes" in shown
    assert "has seen its last 1 change" in shown
    assert "remembers only 5 revisions" in shown
    (told,) = here.lines("doctor", "notes", code=1)
    assert told["lag"] == 1


def test_no_sweep_yet(tmp_path: Path) -> None:
    import couchmend

    with couchmend.open_replica(f"file:{tmp_path / 'notes.couch'}") as notes:
        notes.put({"_id": "a"})
    config = CONFIG.format(mode="observe").replace("journal.db", "new.db")
    (tmp_path / "couchmend.toml").write_text(config)
    done = Site(tmp_path).run("doctor", "notes")
    assert done.returncode in (1, 3)


def test_a_document_in_conflict(here: Site) -> None:
    shown = here.told("doctor", "notes", "open")
    assert "It is in conflict: 2 versions of it live." in shown
    assert f"couchmend conflicts explain {here.number('open')}" in shown
    shown = here.told("doctor", "notes", "hidden")
    assert "which _conflicts hides" in shown
    (told,) = here.lines("doctor", "notes", "hidden")
    assert told["document"]["hidden"] is True
    assert told["document"]["seen"] is True


def test_a_document_that_was_resolved(here: Site) -> None:
    here.told("conflicts", "resolve", here.number("open"), "--yes")
    shown = here.told("doctor", "notes", "open")
    assert "not in conflict: one version lives, another branch ends deleted" in shown
    assert "→ couchmend undo 1" in shown
    assert "may be" not in shown


def test_a_dead_branch_that_may_be_a_deletion(here: Site) -> None:
    with here.notes() as notes:
        (other,) = notes.get("merging", conflicts=True)["_conflicts"]
        notes.delete("merging", other)
    shown = here.told("doctor", "notes", "merging")
    assert "may be a deletion by a person" in shown
    assert "no sweep has seen the document's last change" in shown.lower()
    assert "the queue still has it" in shown.lower()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["notes", "none"], 1, "There is no such document"),
        (["nots"], 2, "notes"),
        ([], 2, "DB"),
    ],
)
def test_what_is_not_there(here: Site, arguments: list[str], code: int, said: str) -> None:
    done = here.run("doctor", *arguments)
    assert done.returncode == code
    assert said in done.stdout + done.stderr


def test_ordinary_and_deleted_documents(here: Site) -> None:
    with here.notes() as notes:
        notes.put({"_id": "plain"})
        rev = notes.put({"_id": "gone"})
        notes.delete("gone", rev)
    assert "it has a single version" in here.told("doctor", "notes", "plain")
    assert "it is deleted, on every branch" in here.told("doctor", "notes", "gone")
