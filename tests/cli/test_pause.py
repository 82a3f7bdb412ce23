"""`couchmend pause` and `couchmend resume`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.queueing import site


def test_a_pause_stops_writes_and_nothing_else(tmp_path: Path) -> None:
    here = site(tmp_path)
    assert "notes is paused, by cli:" in here.told("pause", "notes")
    done = here.run("conflicts", "resolve", here.number("open"), "--yes")
    assert done.returncode == 4
    assert "couchmend resume" in done.stderr
    assert "paused" in here.told("conflicts", "explain", here.number("open"))
    assert here.told("resume", "notes") == "resolving goes on in notes\n"
    assert here.told("resume", "notes") == "nothing is paused\n"
    here.told("conflicts", "resolve", here.number("open"), "--yes")


def test_all_of_them(tmp_path: Path) -> None:
    here = site(tmp_path)
    (told,) = here.lines("pause", "--all")
    assert told["database"] == "*"
    assert here.run("conflicts", "resolve", here.number("open"), "--yes").returncode == 4
    assert here.lines("resume", "--all") == []


def test_a_sweep_of_what_is_paused_says_so(tmp_path: Path) -> None:
    here = site(tmp_path)
    here.told("pause", "--all")
    told = here.run("sweep", "--full").stdout
    assert "resolving is paused, by cli:" in told
    assert "couchmend resume --all" in told
    assert here.told("resume", "--all") == "resolving goes on in all databases\n"
    assert "paused" not in here.run("sweep", "--full").stdout


def test_which_must_be_said(tmp_path: Path) -> None:
    here = site(tmp_path)
    for command in ("pause", "resume"):
        for arguments in ([], ["notes", "--all"], ["nots"]):
            done = here.run(command, *arguments)
            assert done.returncode == 2, (command, arguments)
            assert done.stderr.count("\n") == 1
