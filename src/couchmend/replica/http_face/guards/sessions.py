"""Session cookies: who signed in and when, signed, so that the server need not remember.

The cookie has the form of CouchDB's (https://docs.couchdb.org/en/stable/api/server/authn.html):
base64url of `name:time:signature`, the time in seconds as hexadecimal.  The signature covers
a fingerprint of the user's password hash too, so a new password ends the user's sessions, and
so does removing the user.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from couchmend.errors import BadRequest, UsageError
from couchmend.replica.http_face.guards.private_files import (
    Stamp,
    one_writer,
    read_private,
    stamp,
    write_private,
)
from couchmend.replica.http_face.guards.users import User, Users

COOKIE = "AuthSession"
KEY_FILE = ".couchmend-session-key"
KEY_BYTES = 32
CLOCK_SKEW_SECONDS = 60
RENEW_BELOW = 0.9
"""A session with less than this share of its time left gets a new cookie."""

_PURPOSE = b"couchmend session 1"
_TIME = re.compile(rb"[0-9A-F]{1,12}")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in, and whether the cookie should be renewed."""

    user: User
    is_ageing: bool


class Key:
    """What cookies are signed with: random bytes in a file that all servers of a folder share.

    Deleting the file ends all sessions.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / KEY_FILE
        self._lock = threading.Lock()
        self._seen: Stamp = None
        self._value = b""

    def get(self) -> bytes | None:
        """The key, or None while nobody has signed in yet.

        Raises:
            UsageError: the file is damaged or open to others.
            Unavailable: it cannot be read.
        """
        now = stamp(self.path)
        with self._lock:
            if now is None or now != self._seen:
                self._seen, content = read_private(self.path)
                self._value = b"" if self._seen is None else _parse(content, self.path)
            return self._value or None

    def get_or_make(self) -> bytes:
        """The key; the first time it is made.  Raises like `get`."""
        known = self.get()
        if known is None:
            with one_writer(self.path):
                if stamp(self.path) is None:
                    write_private(self.path, secrets.token_hex(KEY_BYTES).encode() + b"\n")
            known = self.get()
        return known or self.get_or_make()


class Sessions:
    """The sessions of one folder's users; they end after `timeout_seconds` without a request."""

    def __init__(
        self,
        users: Users,
        *,
        timeout_seconds: int = 600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._users = users
        self._key = Key(users.path.parent)
        self._timeout = timeout_seconds
        self._clock = clock

    def issue(self, user: User) -> str:
        """A cookie's value for a user who has just proved to be one."""
        issued = b"%X" % int(self._clock())
        signature = _sign(self._key.get_or_make(), user, issued)
        value = b":".join((user.name.encode(), issued, signature))
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    def read(self, value: str) -> Session | None:
        """Whose cookie this is; None when it is forged, too old, or of a former user.

        Raises:
            BadRequest: it does not even look like such a cookie.
        """
        name, issued, signature = _parts(value)
        key = self._key.get()
        user = self._users.get(name)
        if key is None or user is None or not _TIME.fullmatch(issued):
            return None
        age = self._clock() - int(issued, 16)
        if not -CLOCK_SKEW_SECONDS <= age < self._timeout:
            return None
        if not hmac.compare_digest(signature, _sign(key, user, issued)):
            return None
        return Session(user, self._timeout - age < self._timeout * RENEW_BELOW)

    def cookie(self, user: User, *, secure: bool) -> bytes:
        """`Set-Cookie` that signs a user in; `secure` when the request came by HTTPS."""
        return self._attributes(self.issue(user), self._timeout, secure=secure)

    def no_cookie(self, *, secure: bool) -> bytes:
        """`Set-Cookie` that signs out."""
        return self._attributes("", 0, secure=secure)

    def _attributes(self, value: str, max_age: int, *, secure: bool) -> bytes:
        cookie = f"{COOKIE}={value}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax"
        return (cookie + "; Secure" if secure else cookie).encode()


def _sign(key: bytes, user: User, issued: bytes) -> bytes:
    message = b"\0".join((_PURPOSE, user.fingerprint.hex().encode(), issued, user.name.encode()))
    return hmac.digest(key, message, hashlib.sha256)


def _parts(value: str) -> tuple[str, bytes, bytes]:
    try:
        padded = value.encode("ascii") + b"=" * (-len(value) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True)
        if base64.urlsafe_b64encode(text).rstrip(b"=") != value.encode().rstrip(b"="):
            raise ValueError("another spelling of the same bytes")
        name, issued, signature = text.split(b":", 2)
        return name.decode(), issued, signature
    except (ValueError, binascii.Error) as problem:
        raise BadRequest("Malformed AuthSession cookie. Please clear your cookies.") from problem


def _parse(content: bytes, path: Path) -> bytes:
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        raise UsageError(
            f"the key that signs sessions is damaged: it is not {KEY_BYTES} bytes as hexadecimal",
            operation="read",
            target=str(path),
            hint="delete the file: a new one is made, and everyone has to sign in again",
        )
    return key
