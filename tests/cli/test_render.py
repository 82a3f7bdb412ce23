"""Tables, versions side by side, sizes, and progress that shows itself only where it helps."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import time

import pytest
from rich.console import Console

from couchmend.cli import render
from couchmend.core.document import Doc
from tests.cli.running import environment


def shown(**options: object) -> Console:
    settings: dict[str, object] = {"width": 80, "highlight": False, **options}
    return Console(file=io.StringIO(), **settings)  # type: ignore[arg-type]


def text_of(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (73_728, "73.7 kB"),
        (8_000_000, "8.0 MB"),
        (3_200_000_000, "3.2 GB"),
        (7_000_000_000_000, "7.0 TB"),
    ],
)
def test_sizes(count: int, words: str) -> None:
    assert render.size(count) == words


def test_versions_side_by_side() -> None:
    docs: list[Doc] = [
        {"_id": "a", "_rev": "2-x", "title": "Groceries", "items": ["bread"], "n": 1},
        {"_id": "a", "_rev": "2-y", "title": "Groceries", "items": ["milk"], "due": "Friday"},
    ]
    where = shown()
    render.side_by_side(docs, ["winner", "other"], to=where)
    lines = text_of(where)
    assert lines[0].split() == ["field", "winner", "other"]
    assert [line.split() for line in lines[2:]] == [
        ["title", "Groceries", "Groceries"],
        ["items", '["bread"]', '["milk"]'],
        ["n", "1", "–"],
        ["due", "–", "Friday"],
    ]


def test_what_differs_stands_out_and_only_that() -> None:
    where = shown(force_terminal=True, color_system="standard")
    render.side_by_side([{"same": 1, "not": 1}, {"same": 1, "not": 2}], ["one", "other"], to=where)
    same, differs = text_of(where)[2:4]
    assert "\x1b[1;33m" not in same
    assert "\x1b[1;33m" in differs


def test_markup_in_documents_is_shown_and_not_obeyed() -> None:
    where = shown()
    render.side_by_side([{"[bold]a[/]": "[red]x[/red]"}], ["one"], to=where)
    assert text_of(where)[2].split() == ["[bold]a[/]", "[red]x[/red]"]


def test_what_would_move_the_cursor_is_shown_and_not_obeyed() -> None:
    where = shown(width=120)
    render.side_by_side([{"a\x1b[2J": "one\ntwo\x1b]0;title\x07"}], ["one"], to=where)
    assert text_of(where)[2].split() == [r"a\x1b[2J", r"one\ntwo\x1b]0;title\x07"]


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert render.console().no_color


def test_no_progress_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with render.progress("working", 3) as advance:
        advance(1)
        advance(2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("seconds", "appears"), [(0.0, False), (1.6, True)])
def test_progress_appears_on_a_terminal_after_a_second(seconds: float, appears: bool) -> None:
    script = (
        "import time\n"
        "from couchmend.cli import render\n"
        "with render.progress('working', 2) as advance:\n"
        "    advance(1)\n"
        f"    time.sleep({seconds})\n"
    )
    assert ("working" in on_a_terminal(script)) == appears


def on_a_terminal(script: str) -> str:
    """What a Python script writes on stderr when that is a terminal."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            env=environment(TERM="xterm", COLUMNS="80"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        written = b""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # Linux says so when the other side is closed
                break
            if not piece:
                break
            written += piece
        assert process.wait(timeout=30) == 0
    finally:
        os.close(ours)
    return written.decode()
