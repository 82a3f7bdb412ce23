"""Tests that lack a program are left out on a machine of a person, and fail in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.mark.node
def test_with_node():
    pass

@pytest.mark.browser
def test_that_finds_out_itself():
    pytest.skip("no browser today")

@pytest.mark.program("no-such-program")
def test_with_a_program():
    pass

def test_with_nothing():
    pass

def test_for_another_system():
    pytest.skip("not on this system")
"""


@pytest.mark.parametrize(
    ("ci", "code", "closing"),
    [("", 0, "1 passed, 4 skipped"), ("true", 1, "1 failed, 1 passed, 1 skipped, 2 errors")],
)
def test_nothing_is_left_out_in_ci(ci: str, code: int, closing: str, tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parent / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n  node: x\n  browser: x\n  program(name): x\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={**os.environ, "CI": ci, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    assert closing in done.stdout
    assert "apt-get install nodejs npm" in done.stdout
