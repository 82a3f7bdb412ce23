"""How long the command line takes to start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import couchmend
from benchmarks.documents import conflicted, documents
from benchmarks.measuring import Kind, Row, hold, in_turns, seconds
from couchmend import open_replica


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
    """`couchmend --help`, and a scan of a tiny database, beside a Python that does nothing."""
    with tempfile.TemporaryDirectory(prefix="couchmend-bench-") as folder:
        file = Path(folder, "tiny.couch")
        with open_replica(f"file:{file}") as replica:
            hold(len(replica.bulk_docs(list(conflicted(documents(10), 10)), new_edits=False)), 0)
        return [
            _row("couchmend --help", command("--help"), 0, tiny=tiny),
            _row("couchmend scan of 10 documents", command("scan", f"file:{file}"), 1, tiny=tiny),
        ]


def _row(what: str, ours: list[str], code: int, *, tiny: bool) -> Row:
    """How much longer than a Python that does nothing a command takes that exits so."""

    def run(arguments: list[str], code: int) -> float:
        codes: list[int] = []
        taken = seconds(
            lambda: codes.append(
                subprocess.run(
                    arguments, check=False, capture_output=True, env=environment()
                ).returncode
            )
        )
        hold(codes[0], code)
        return taken

    nothing = [sys.executable, "-c", "pass"]
    run(ours, code)  # compiles what is not compiled yet
    times = in_turns(1 if tiny else 15, lambda: run(ours, code), lambda: run(nothing, 0))
    return Row("start", what, Kind.EXTRA, 0.3, times[0], "python -c pass", times[1])
