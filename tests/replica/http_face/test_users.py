"""The users file: what it keeps, who may read it, and that no accident loses it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import argon2
import pytest

from couchmend.errors import NotFound, PreconditionFailed, Unavailable, UsageError
from couchmend.replica.http_face.guards.users import USERS_FILE, Users
from tests.replica.http_face.calling import CHEAP


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path, hasher=CHEAP)


def test_a_user_is_kept_with_a_hash_and_without_the_password(users: Users, tmp_path: Path) -> None:
    users.add("rüdi", "correct horse", ["writers", "_admin", "writers"])
    assert all(path.name.startswith(".") for path in tmp_path.iterdir())
    text = (tmp_path / USERS_FILE).read_text()
    assert "correct horse" not in text
    again = Users(tmp_path, hasher=CHEAP).get("rüdi")
    assert again is not None
    assert again.roles == ("_admin", "writers")
    assert users.matches(again.password_hash, "correct horse")
    assert not users.matches(again.password_hash, "correct horsf")


def test_passwords_are_hashed_as_the_library_recommends(tmp_path: Path) -> None:
    known = argon2.extract_parameters(Users(tmp_path).add("ann", "x").password_hash)
    recommended = argon2.PasswordHasher()
    assert known.type is argon2.Type.ID
    assert (known.time_cost, known.memory_cost, known.parallelism, known.salt_len) == (
        recommended.time_cost,
        recommended.memory_cost,
        recommended.parallelism,
        recommended.salt_len,
    )


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_nobody_else_can_read_the_file(users: Users) -> None:
    old = os.umask(0)
    try:
        users.add("ann", "x")
    finally:
        os.umask(old)
    assert users.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize(("mode", "taken"), [(0o600, True), (0o640, True), (0o644, False),
                                             (0o660, False), (0o602, False)])  # fmt: skip
def test_a_file_that_others_can_read_or_change_is_refused(
    users: Users, mode: int, taken: bool
) -> None:
    users.add("ann", "x")
    users.path.chmod(mode)
    if taken:
        assert users.exist()
    else:
        with pytest.raises(UsageError, match=r"others can read or change it .*chmod 600"):
            users.exist()


def test_two_users_of_one_name_or_none(users: Users) -> None:
    users.add("ann", "x")
    with pytest.raises(PreconditionFailed, match="passwd"):
        users.add("ann", "y")
    for change in (users.remove, lambda name: users.set_password(name, "x"), users.require):
        with pytest.raises(NotFound, match=r"bob.* list"):
            change("bob")
    users.remove("ann")
    assert users.list() == ()
    assert not users.exist()


def test_a_new_password_is_a_new_fingerprint_even_if_it_is_the_old_one(users: Users) -> None:
    before = users.add("ann", "x", ["r"])
    users.set_password("ann", "x")
    after = users.require("ann")
    assert after.fingerprint != before.fingerprint
    assert after.roles == ("r",)


@pytest.mark.parametrize(
    "name", ["", "_ann", "a:b", "a\nb", " ann", "ann ", "a\u200bb", "\ud800", "x" * 257]
)
def test_names_that_are_refused(users: Users, name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        users.add(name, "x")
    assert not users.path.exists()


@pytest.mark.parametrize("role", ["", "_replicator", "a\tb", " r"])
def test_roles_that_are_refused(users: Users, role: str) -> None:
    with pytest.raises(UsageError, match="role"):
        users.add("ann", "x", [role])


@pytest.mark.parametrize("password", ["", "x" * 4097, "\ud800"])
def test_passwords_that_are_refused(users: Users, password: str) -> None:
    with pytest.raises(UsageError, match="password"):
        users.add("ann", password)


HASH = CHEAP.hash("x")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not JSON"),
        ('{"format": 1, "users": {"ann": ', "not JSON"),
        ("\udcff", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no member `users`"),
        ('{"format": 1}', "no member `users`"),
        ('{"format": 2, "users": {}}', "format is 2"),
        ('{"format": 1, "users": {"ann": 1}}', "'ann' has no password"),
        ('{"format": 1, "users": {"ann": {"password": "x", "roles": []}}}', "no argon2 hash"),
        (f'{{"format": 1, "users": {{"ann": {{"password": "{HASH}"}}}}}}', "list of roles"),
        (f'{{"format": 1, "users": {{"_a": {{"password": "{HASH}", "roles": []}}}}}}', "'_a'"),
        (f'{{"format": 1, "users": {{"a": {{"password": "{HASH}", "roles": [1, ""]}}}}}}', "role"),
    ],
)
def test_a_damaged_file_is_reported_and_left_alone(users: Users, text: str, what: str) -> None:
    content = text.encode(errors="surrogateescape")
    users.path.write_bytes(content)
    users.path.chmod(0o600)
    for attempt in (
        users.list,
        lambda: users.add("bob", "x"),
        lambda: users.remove("ann"),
        lambda: users.set_password("ann", "x"),
    ):
        with pytest.raises(UsageError) as caught:
            attempt()
        told = str(caught.value)
        assert what in told
        assert str(users.path) in told
        assert "restore it from a backup" in told
    assert users.path.read_bytes() == content


def test_a_change_by_another_process_is_seen(users: Users, tmp_path: Path) -> None:
    assert not users.exist()
    version = users.load()[0]
    other = Users(tmp_path, hasher=CHEAP)
    other.add("ann", "x")
    assert users.load()[0] != version
    assert [user.name for user in users.list()] == ["ann"]
    other.remove("ann")
    assert not users.exist()
    users.path.unlink()
    assert not users.exist()


def test_a_change_that_keeps_size_and_time_is_seen(users: Users, tmp_path: Path) -> None:
    users.add("ann", "x")
    before = users.path.stat()
    assert users.get("ann")
    text = users.path.read_text().replace('"ann"', '"bob"')
    users.path.write_text(text)
    os.utime(users.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert users.path.stat().st_size == before.st_size
    assert users.get("bob")
    assert not users.get("ann")


def test_an_unchanged_file_is_not_read_again(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    users.add("ann", "x")
    first = users.load()
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
    assert users.load() == first


@pytest.mark.parametrize("step", ["write", "fsync", "replace", "lock"])
def test_a_failed_write_leaves_what_was(
    users: Users, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    users.add("ann", "x")
    before = users.path.read_bytes()
    place, name = {
        "write": (tempfile, "mkstemp"),
        "fsync": (os, "fsync"),
        "replace": (Path, "replace"),
        "lock": (fcntl, "flock"),
    }[step]
    with monkeypatch.context() as patched:
        patched.setattr(place, name, full)
        with pytest.raises(Unavailable, match="No space left on device"):
            users.add("bob", "y")
    assert users.path.read_bytes() == before
    assert {p.name for p in users.path.parent.iterdir()} == {USERS_FILE, f"{USERS_FILE}.lock"}
    users.add("bob", "y")
    assert len(users.list()) == 2


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    users = Users(tmp_path / "nowhere", hasher=CHEAP)
    assert not users.exist()
    with pytest.raises(Unavailable, match=r"No such file.*folder must exist"):
        users.add("ann", "x")


def test_threads_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    def add(number: int) -> None:
        Users(tmp_path, hasher=CHEAP).add(f"user{number}", "x")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert len(Users(tmp_path).list()) == 40


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import sys, argon2\n"
        "from couchmend.replica.http_face.guards.users import Users\n"
        "cheap = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)\n"
        "users = Users(sys.argv[1], hasher=cheap)\n"
        "for n in range(20): users.add(f'{sys.argv[2]}{n}', 'x')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), name], env=environment)
        for name in ("a", "b", "c")
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(Users(tmp_path).list()) == 60
    assert json.loads((tmp_path / USERS_FILE).read_text())["format"] == 1
