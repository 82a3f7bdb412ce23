"""The generated pages say what the code says, and the site needs nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

LOADED_FROM_ELSEWHERE = re.compile(
    r"""<(?:script|img|iframe)[^>]*\ssrc=["']?(?:https?:|//)"""
    r"""|<link[^>]*rel=["']?(?:stylesheet|preconnect|icon)["']?[^>]*href=["']?(?:https?:|//)"""
)

ROOT = Path(__file__).parent.parent.parent


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_command_and_setting_is_in_the_reference() -> None:
    from couchmend import settings

    commands = (ROOT / "docs/reference/cli.md").read_text()
    for name in ("demo", "replica serve", "replica get", "replica users add"):
        assert f"## `couchmend {name}`" in commands
    configuration = (ROOT / "docs/reference/configuration.md").read_text()
    for row in settings.describe():
        assert f"`{row.key.rpartition('.')[2]}`" in configuration


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) >= 9
    for page in pages:
        assert not LOADED_FROM_ELSEWHERE.search(page.read_text()), page.name
    assert not list(tmp_path.rglob("*.py"))
