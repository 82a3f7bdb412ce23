"""How long the command line takes to start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import couchmend
from benchmarks.measuring import Kind, Row, in_turns, seconds


def command(*arguments: str) -> list[str]:
    """`couchmend` with these arguments: the installed program, or what it would run."""
    program = Path(sys.executable).parent / "couchmend"
    if program.exists():
        return [str(program), *arguments]
    return [sys.executable, "-c", "from couchmend.cli import main; main()", *arguments]


def environment() -> dict[str, str]:
    """The environment in which a new Python finds this couchmend."""
    return {**os.environ, "PYTHONPATH": str(Path(couchmend.__file__).parent.parent)}


def measure(*, tiny: bool) -> list[Row]:
    """`couchmend --help` beside a Python that does nothing."""

    def run(arguments: list[str]) -> float:
        return seconds(
            lambda: subprocess.run(arguments, check=True, capture_output=True, env=environment())
        )

    ours, nothing = command("--help"), [sys.executable, "-c", "pass"]
    run(ours)  # compiles what is not compiled yet
    times = in_turns(1 if tiny else 15, lambda: run(ours), lambda: run(nothing))
    return [Row("start", "couchmend --help", Kind.EXTRA, 0.3, times[0], "python -c pass", times[1])]
