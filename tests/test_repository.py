"""What holds for every file of the repository."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FORBIDDEN = {
    "a package registry": re.compile(
        rb"pypi[.]org|registry[.]npmjs[.]org|files[.]pythonhosted[.]org"
    ),
    "a path of somebody's machine": re.compile(
        rb"(?<![\w.-])/(?:(?:work|root|opt/peers|tmp/venv)/|(?:home|Users)/\w)"
    ),
}
LOADED_BY_UVICORN = {"httptools", "uvloop"}
MADE = {
    ".git", ".venv", "node_modules", "site", "dist", "demo", "__pycache__",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
}  # fmt: skip


def tracked() -> list[Path]:
    """The files under version control; in a plain copy of the tree, all that are not made."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0 and listing.stdout:
        names = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    else:
        names = [p for p in ROOT.rglob("*") if not MADE & set(p.relative_to(ROOT).parts)]
    return [path for path in names if path.is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    files = tracked()
    assert len(files) > 20
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in files
        for match in FORBIDDEN[what].finditer(path.read_bytes())
    ]
    assert not found, f"{what} is named in\n" + "\n".join(found)


def test_the_licence_is_the_one_that_the_package_declares() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()


def test_every_requirement_is_exact_and_has_a_hash() -> None:
    for name in ("base.txt", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
        assert lines
        for line in lines:
            assert re.match(r"[a-z0-9-]+==[^ ]+ ", line), line
            assert "--hash=sha256:" in line, line


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    base = (ROOT / "requirements" / "base.txt").read_text()
    dev = (ROOT / "requirements" / "dev.txt").read_text()
    groups = project["dependency-groups"]
    for wanted, locked in (
        (project["project"]["dependencies"] + groups["build"], base),
        (groups["dev"] + groups["docs"], dev),
    ):
        for requirement in wanted:
            name = re.split(r"[^A-Za-z0-9-]", requirement)[0].lower()
            assert re.search(rf"^{name}==", locked, re.MULTILINE), f"{name}: make requirements"


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        re.split(r"[^A-Za-z0-9-]", requirement)[0].lower()
        for requirement in project["dependencies"]
    }
    imported = {
        name.split(".")[0]
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    libraries = imported - set(sys.stdlib_module_names) - {"couchmend"}
    distribution = {"argon2": "argon2-cffi"}
    assert {
        distribution.get(name, name.replace("_", "-")) for name in libraries
    } == declared - LOADED_BY_UVICORN
