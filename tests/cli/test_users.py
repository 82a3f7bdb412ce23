"""`couchmend replica users`: who may use a folder that is served."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import argon2
import pytest

from couchmend.replica.http_face.guards import users as users_module
from couchmend.replica.http_face.guards.users import Users
from tests.cli.running import COMMAND, couchmend, couchmend_here, environment
from tests.replica.http_face.calling import CHEAP


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose passwords are hashed in no time."""
    monkeypatch.setattr(argon2, "PasswordHasher", lambda: CHEAP)
    path = tmp_path / "notes"
    path.mkdir()
    return path


def known(folder: Path, name: str, password: str) -> bool:
    """Whether this is the user's password."""
    users = Users(folder)
    return users.matches(users.require(name).password_hash, password)


def test_adding_listing_changing_and_removing(folder: Path) -> None:
    def users(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        run = couchmend_here("replica", "users", *arguments, stdin=stdin, cwd=folder.parent)
        return run.returncode, run.stdout, run.stderr

    code, out, err = users("add", "notes", "ann", "--role", "writers", stdin="correct horse\n")
    assert (code, out) == (0, "added ann (writers)\n")
    assert "no server admin" in err
    assert users("add", "dir:notes", "rüdi", "--admin", stdin="x\r\n")[:2] == (
        0,
        "added rüdi (_admin)\n",
    )
    assert known(folder, "ann", "correct horse")
    assert known(folder, "rüdi", "x")
    code, out, err = users("list", "notes", "--json")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"name": "ann", "roles": ["writers"]},
        {"name": "rüdi", "roles": ["_admin"]},
    ]
    assert "writers" in users("list", "notes")[1]
    assert users("passwd", "notes", "ann", stdin="battery") == (0, "set the password of ann\n", "")
    assert known(folder, "ann", "battery")
    assert users("remove", "notes", "rüdi")[2].count("no server admin") == 1
    code, out, err = users("remove", "notes", "ann")
    assert (code, out) == (0, "removed ann\n")
    assert "whoever uses this machine is server admin" in err
    assert "no users" in users("list", "notes")[1]


def test_a_password_from_a_file(folder: Path) -> None:
    (folder / "secret").write_text("  from a file \n")
    run = couchmend_here(
        "replica", "users", "add", "notes", "ann", "--password-file", "notes/secret",
        stdin="not this", cwd=folder.parent,
    )  # fmt: skip
    assert run.returncode == 0
    assert known(folder, "ann", "  from a file ")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of POSIX")
def test_a_password_is_asked_for_twice_and_not_shown(folder: Path) -> None:
    shown, terminal = os.openpty()
    command = [*COMMAND, "replica", "users", "add", str(folder), "ann", "--admin"]
    with subprocess.Popen(
        command,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    ) as running:
        assert running.stderr is not None
        told = b""
        for line, prompt in (
            (b"typed\n", b"Password: "),
            (b"mistyped\n", b"Repeat for confirmation: "),
            (b"typed\n", b"Password: "),
            (b"typed\n", b"Repeat for confirmation: "),
        ):
            while not told.endswith(prompt):
                told += running.stderr.read(1) or pytest.fail(told.decode())
            told += b"|"
            os.write(shown, line)
        out, _ = running.communicate(timeout=60)
    assert (running.returncode, out) == (0, b"added ann (_admin)\n")
    assert told.count(b"Password: |") == 2
    os.close(terminal)
    os.set_blocking(shown, False)
    with contextlib.suppress(OSError):
        assert b"typed" not in os.read(shown, 1000)
    os.close(shown)
    assert known(folder, "ann", "typed")


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "told"),
    [
        (["add", "notes", "ann"], "", 2, "password is empty"),
        (["add", "notes", "ann"], "a\nb\n", 2, "several lines"),
        (["add", "notes", "a:b"], "x", 2, "colon"),
        (["add", "notes", "ann", "--role", "_x"], "x", 2, "role"),
        (["add", "notes", "bob"], "x", 1, "passwd"),
        (["add", "elsewhere", "ann"], "x", 2, "no such folder"),
        (["add", "notes", "ann", "--password-file", "nowhere"], "x", 2, "cannot be read"),
        (["remove", "notes", "ann"], "", 1, "no such user"),
        (["passwd", "notes", "ann"], "x", 1, "no such user"),
        (["add", "notes"], "x", 2, "NAME"),
        ([], "", 2, ""),
    ],
)
def test_what_goes_wrong(
    folder: Path, arguments: list[str], stdin: str, code: int, told: str
) -> None:
    Users(folder).add("bob", "x", ["_admin"])
    before = Users(folder).path.read_bytes()
    run = couchmend_here("replica", "users", *arguments, stdin=stdin, cwd=folder.parent)
    assert run.returncode == code
    assert told in run.stderr
    assert len(run.stderr.splitlines()) <= 1
    assert Users(folder).path.read_bytes() == before


def test_a_damaged_file_is_told_and_left_alone(folder: Path) -> None:
    path = folder / users_module.USERS_FILE
    path.write_text("{")
    path.chmod(0o600)
    for command in ("add", "remove", "passwd", "list"):
        name = [] if command == "list" else ["ann"]
        run = couchmend_here(
            "replica", "users", command, "notes", *name, stdin="x", cwd=folder.parent
        )
        assert run.returncode == 2
        assert str(path.relative_to(folder.parent)) in run.stderr
        assert "backup" in run.stderr
    assert path.read_text() == "{"


def test_the_real_command(tmp_path: Path) -> None:
    run = couchmend("replica", "users", "add", ".", "ann", "--admin", stdin="x", cwd=tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, "added ann (_admin)\n", "")
    assert Users(tmp_path).require("ann").password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=4")
    if sys.platform != "win32":
        assert (tmp_path / users_module.USERS_FILE).stat().st_mode & 0o777 == 0o600
