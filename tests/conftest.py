"""What all tests share: what to do where a program is missing.

Tests marked `node`, `browser` or `program` are left out on a machine that lacks the program, and
say how to get it.  In continuous integration (`CI=true`) nothing is left out: there they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
NODE_PACKAGES = Path(__file__).parent / "e2e" / "node_modules"


def _lacking(item: pytest.Item) -> str | None:
    """What keeps this test from running here, and how to change that."""
    if item.get_closest_marker("node"):
        if shutil.which("node") is None:
            return "Node.js is missing (Debian: apt-get install nodejs npm)"
        if not NODE_PACKAGES.is_dir():
            return "PouchDB is missing (npm ci --prefix tests/e2e)"
    if item.get_closest_marker("browser") and not CHROMIUM.exists():
        return f"{CHROMIUM} is missing (Debian: apt-get install chromium)"
    for marker in item.iter_markers("program"):
        (name,) = marker.args
        if shutil.which(name) is None:
            return f"{name} is missing (Debian: apt-get install {name})"
    return None


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave the test out where its program is missing."""
    reason = _lacking(item)
    if reason is not None:
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a failure of a test that was left out for a program in continuous integration."""
    report = yield
    needs = any(item.get_closest_marker(name) for name in ("node", "browser", "program"))
    if report.skipped and needs and _in_ci():
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was left out, and in CI nothing may be: {why}"
    return report
