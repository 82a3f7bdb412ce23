"""Runs the real command: in a process of its own, or faster in this one."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from couchmend.cli import run

SOURCE = Path(__file__).parent.parent.parent / "src"
COMMAND = (sys.executable, "-c", "from couchmend.cli import main; main()")


def environment(**more: str) -> dict[str, str]:
    """The environment of a command that no setting of this machine reaches."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COUCHMEND_", "_COUCHMEND")) and name != "COLUMNS"
    }
    return {**kept, "PYTHONPATH": str(SOURCE), "NO_COLOR": "1", **more}


def couchmend(
    *arguments: str, stdin: str = "", cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run `couchmend` with these arguments to its end; `more` is environment."""
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def couchmend_here(*arguments: str, stdin: str = "", cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, without Python's start; for what a shell does not change.

    Lines are wide enough for tables: how wide it is where tests run is not always the same.
    """
    out, err = io.StringIO(), io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()))
    before = sys.stdin
    sys.stdin = given
    try:
        with (
            patch.dict(os.environ, environment(COLUMNS="110"), clear=True),
            contextlib.chdir(cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run(list(arguments))
    finally:
        sys.stdin = before
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
