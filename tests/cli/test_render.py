"""Tables, sizes, and progress that shows itself only where it helps."""

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
