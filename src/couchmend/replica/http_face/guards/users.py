"""The users of a served folder: a small file of names, password hashes and roles.

Passwords are kept as argon2id hashes.  The file is read again whenever it has changed, so
users may be added and removed while servers run.
"""

from __future__ import annotations

import hashlib
import json
import threading
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import argon2

from couchmend.errors import NotFound, PreconditionFailed, UsageError
from couchmend.replica.http_face.guards.access import ADMIN
from couchmend.replica.http_face.guards.private_files import (
    Stamp,
    one_writer,
    read_private,
    stamp,
    write_private,
)

USERS_FILE = ".couchmend-users.json"
FORMAT = 1
MAX_NAME_BYTES = 256
MAX_PASSWORD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in."""

    name: str
    password_hash: str
    roles: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> bytes:
        """Changes when the password is set anew, even to the same one."""
        return hashlib.sha256(self.password_hash.encode()).digest()


@dataclass(frozen=True, slots=True)
class _Snapshot:
    stamp: Stamp
    version: int
    users: Mapping[str, User]


class Users:
    """The users file of a folder.  Safe to share between threads and between processes.

    Every method may raise `UsageError` for a file that is damaged or open to others (then
    nothing is changed) and `Unavailable` for one that cannot be read or written.
    """

    def __init__(self, folder: str | Path, *, hasher: argon2.PasswordHasher | None = None) -> None:
        self.path = Path(folder) / USERS_FILE
        self._hasher = hasher or argon2.PasswordHasher()
        self._lock = threading.Lock()
        self._seen: _Snapshot | None = None

    def load(self) -> tuple[int, Mapping[str, User]]:
        """The users by name, and a number that changes whenever the file does."""
        now = stamp(self.path)
        seen = self._seen
        if seen is None or seen.stamp != now:
            with self._lock:
                seen = self._seen
                if seen is None or seen.stamp != now:
                    seen = self._seen = self._read(0 if seen is None else seen.version + 1)
        return seen.version, seen.users

    def list(self) -> tuple[User, ...]:
        """All of them by name."""
        return tuple(self.load()[1].values())

    def get(self, name: str) -> User | None:
        """The user of this name."""
        return self.load()[1].get(name)

    def require(self, name: str) -> User:
        """The user of this name; raises `NotFound`."""
        users = self.load()[1]
        return users[_known(users, name, "look for user")]

    def exist(self) -> bool:
        """Whether there is any user."""
        return bool(self.load()[1])

    def add(self, name: str, password: str, roles: Iterable[str] = ()) -> User:
        """Add a user.

        Raises:
            UsageError: a name, password or role that is not allowed.
            PreconditionFailed: there is a user of this name.
        """
        user = User(
            _check_name(name), self._hash(password), tuple(sorted({_check_role(r) for r in roles}))
        )

        def added(users: dict[str, User]) -> None:
            if name in users:
                raise PreconditionFailed(
                    "there is a user of this name already",
                    operation="add user",
                    target=name,
                    hint="`couchmend replica users passwd` sets another password",
                )
            users[name] = user

        self._change(added)
        return user

    def remove(self, name: str) -> None:
        """Remove a user; whoever is signed in by this name no longer is.  Raises `NotFound`."""

        def removed(users: dict[str, User]) -> None:
            del users[_known(users, name, "remove user")]

        self._change(removed)

    def set_password(self, name: str, password: str) -> None:
        """Set another password, which ends the user's sessions.

        Raises:
            UsageError: a password that is not allowed.
            NotFound: there is no such user.
        """
        password_hash = self._hash(password)

        def set_anew(users: dict[str, User]) -> None:
            user = users[_known(users, name, "set password")]
            users[name] = replace(user, password_hash=password_hash)

        self._change(set_anew)

    def matches(self, password_hash: str, password: str) -> bool:
        """Whether this password has this hash.  Takes a tenth of a second and 64 MiB."""
        try:
            return self._hasher.verify(password_hash, password)
        except argon2.exceptions.VerifyMismatchError:
            return False

    def nobody(self) -> str:
        """The hash of no one's password, to take as long for names that do not exist."""
        return self._hasher.hash("")

    def _hash(self, password: str) -> str:
        if not password:
            raise UsageError("the password is empty", operation="set password")
        try:
            size = len(password.encode())
        except UnicodeEncodeError as problem:
            raise UsageError("the password is not UTF-8", operation="set password") from problem
        if size > MAX_PASSWORD_BYTES:
            raise UsageError(
                f"the password is longer than {MAX_PASSWORD_BYTES} bytes", operation="set password"
            )
        return self._hasher.hash(password)

    def _change(self, change: Callable[[dict[str, User]], None]) -> None:
        with one_writer(self.path):
            users = dict(self._read(0).users)
            change(users)
            write_private(self.path, _as_text(users))

    def _read(self, version: int) -> _Snapshot:
        seen, content = read_private(self.path)
        users = {} if seen is None else _parse(content, self.path)
        return _Snapshot(seen, version, MappingProxyType(dict(sorted(users.items()))))


def _known(users: Mapping[str, User], name: str, operation: str) -> str:
    if name not in users:
        raise NotFound(
            "there is no such user",
            operation=operation,
            target=name,
            hint="`couchmend replica users list` shows them",
        )
    return name


def _check_name(name: str) -> str:
    """The rules of CouchDB, and those that HTTP adds."""
    if not name or name.startswith("_") or ":" in name or not _is_plain(name):
        raise UsageError(
            "a user's name may not be empty, begin with an underscore, contain a colon or"
            " invisible characters, or begin or end with a space",
            operation="add user",
            target=repr(name),
        )
    if len(name.encode()) > MAX_NAME_BYTES:
        raise UsageError(
            f"the name is longer than {MAX_NAME_BYTES} bytes", operation="add user", target=name
        )
    return name


def _check_role(role: str) -> str:
    if role != ADMIN and (not role or role.startswith("_") or not _is_plain(role)):
        raise UsageError(
            f"a role may not be empty, contain invisible characters, or begin with an underscore;"
            f" only {ADMIN} may",
            operation="add user",
            target=repr(role),
        )
    return role


def _is_plain(text: str) -> bool:
    return text == text.strip() and not any(unicodedata.category(c)[0] == "C" for c in text)


def _as_text(users: Mapping[str, User]) -> bytes:
    """The file: JSON that a person can read."""
    entries = {
        name: {"password": user.password_hash, "roles": list(user.roles)}
        for name, user in sorted(users.items())
    }
    text = json.dumps({"format": FORMAT, "users": entries}, indent=2, ensure_ascii=False)
    return text.encode() + b"\n"


def _parse(content: bytes, path: Path) -> dict[str, User]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise _damaged(path, f"it is not JSON: {problem}") from problem
    if not isinstance(value, dict) or not isinstance(value.get("users"), dict):
        raise _damaged(path, "it has no member `users`")
    if value.get("format") != FORMAT:
        raise _damaged(path, f"its format is {value.get('format')!r} and not {FORMAT}")
    return {name: _user(name, entry, path) for name, entry in value["users"].items()}


def _user(name: str, entry: Any, path: Path) -> User:
    password, roles = (
        (entry.get("password"), entry.get("roles")) if isinstance(entry, dict) else (None, None)
    )
    if not isinstance(password, str) or not isinstance(roles, list):
        raise _damaged(path, f"the user {name!r} has no password or no list of roles")
    try:
        argon2.extract_parameters(password)
        return User(_check_name(name), password, tuple(_check_role(str(r)) for r in roles))
    except argon2.exceptions.InvalidHashError as problem:
        raise _damaged(path, f"the password of {name!r} is no argon2 hash") from problem
    except UsageError as problem:
        raise _damaged(path, f"{problem.target}: {problem.message}") from problem


def _damaged(path: Path, what: str) -> UsageError:
    return UsageError(
        f"the users file is damaged: {what}",
        operation="read",
        target=str(path),
        hint="put it right or restore it from a backup; or move it away and add the users anew"
        " with `couchmend replica users add`: until then whoever uses this machine is admin",
    )
