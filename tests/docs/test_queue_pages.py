"""The commands on the pages about the queue are commands that there are, with those options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.running import couchmend_here

GUIDE = Path(__file__).parent.parent.parent / "docs/guide"
COMMANDS = sorted(
    {
        match[1].split("  #")[0].split(" < ")[0].strip()
        for page in ("decide.md", "undo.md")
        for match in re.finditer(r"^\$ couchmend (.*)$", (GUIDE / page).read_text(), re.MULTILINE)
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command: str, tmp_path: Path) -> None:
    (tmp_path / "couchmend.toml").write_text('[journal]\nurl = "sqlite:///none.db"\n')
    done = couchmend_here(*shlex.split(command), "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Example" in done.stdout or "Usage" in done.stdout


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 15


def test_every_command_around_the_queue_has_an_example(tmp_path: Path) -> None:
    for command in (
        "conflicts list", "conflicts show", "conflicts explain", "conflicts resolve",
        "conflicts skip", "conflicts snooze", "conflicts exclude", "history", "undo", "pause",
        "resume", "doctor", "stats", "archive show", "archive restore", "archive forget",
    ):  # fmt: skip
        told = couchmend_here(*command.split(), "--help", cwd=tmp_path).stdout
        assert re.search(rf"Examples?: couchmend {command} ", " ".join(told.split())), command
        assert "--json" in told
        assert "--config" in told
