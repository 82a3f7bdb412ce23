"""As whom requests are made: a name and password, a session's cookie, a token from a file.

Each `Authentication` may serve several connections and threads.  `source` says in words
where the credentials come from, so that an error can name it; the credentials themselves
are in no `repr` and no error.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

from couchmend.errors import Unauthorized, UsageError

SignIn = Callable[[bytes], Mapping[str, str]]
"""Posts a form to `_session` and gives the answer's headers; raises `ReplicaError`."""

_COOKIE = re.compile(r"\bAuthSession=([^;,\s]+)")
_LIFETIME = re.compile(r"\bmax-age\s*=\s*(\d+)", re.IGNORECASE)


class Authentication(ABC):
    """What is sent to show who asks."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"

    @abstractmethod
    def headers(self, sign_in: SignIn) -> Mapping[str, str]:
        """The headers of a request; may sign in first.

        Raises:
            ReplicaError: signing in failed.
            UsageError: there is nothing to sign in with.
        """

    def heard(self, headers: Mapping[str, str]) -> None:  # noqa: B027  # most need not listen
        """An answer's headers: a server may prolong a session."""

    def refused(self, sent: Mapping[str, str]) -> bool:
        """The server answered 401 to these headers: is there something else to try?"""
        return False


class Nobody(Authentication):
    """No credentials at all."""

    def __init__(self) -> None:
        super().__init__("")

    def headers(self, sign_in: SignIn) -> Mapping[str, str]:
        return {}


class Basic(Authentication):
    """Name and password with every request."""

    def __init__(self, user: str, password: str, source: str) -> None:
        super().__init__(source)
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"authorization": f"Basic {pair}"}

    def headers(self, sign_in: SignIn) -> Mapping[str, str]:
        return self._headers


class CookieSession(Authentication):
    """Name and password once, then the session's cookie
    (https://docs.couchdb.org/en/stable/api/server/authn.html#cookie-authentication).

    A session is renewed shortly before it ends and when the server refuses it, by one thread
    at a time.  A name and password that were refused are not tried again before
    `pause_seconds` are over, so that no account is locked out.
    """

    def __init__(
        self,
        user: str,
        password: str,
        source: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause_seconds: float = 60.0,
    ) -> None:
        super().__init__(source)
        self._form = urlencode({"name": user, "password": password}).encode()
        self._clock = clock
        self._pause = pause_seconds
        self._lock = threading.Lock()
        self._cookie: str | None = None
        self._good_until: float | None = None
        self._refusal: tuple[Unauthorized, float] | None = None

    def headers(self, sign_in: SignIn) -> Mapping[str, str]:
        with self._lock:
            ended = self._good_until is not None and self._clock() >= self._good_until
            if self._cookie is None or ended:
                self._renew(sign_in)
            return {"cookie": f"AuthSession={self._cookie}"}

    def _renew(self, sign_in: SignIn) -> None:
        if self._refusal is not None:
            refusal, until = self._refusal
            if self._clock() < until:
                raise Unauthorized(
                    refusal.reason,
                    error=refusal.error,
                    operation=refusal.operation,
                    target=refusal.target,
                    hint=refusal.hint,
                ) from refusal
        self._cookie = None
        try:
            headers = sign_in(self._form)
        except Unauthorized as problem:
            self._refusal = (problem, self._clock() + self._pause)
            raise
        self._refusal = None
        self._take(headers)
        if self._cookie is None:
            raise Unauthorized(
                "the server gave no session",
                target="_session",
                hint="use basic authentication for this server",
            )

    def heard(self, headers: Mapping[str, str]) -> None:
        if "set-cookie" in headers:
            with self._lock:
                self._take(headers)

    def _take(self, headers: Mapping[str, str]) -> None:
        told = headers.get("set-cookie", "")
        if found := _COOKIE.search(told):
            lifetime = _LIFETIME.search(told, found.end())
            self._cookie = found[1]
            # The last tenth is left unused: a request takes its time.
            self._good_until = self._clock() + int(lifetime[1]) * 0.9 if lifetime else None

    def refused(self, sent: Mapping[str, str]) -> bool:
        with self._lock:
            if sent.get("cookie") == f"AuthSession={self._cookie}":
                self._cookie = None
            return True


class Bearer(Authentication):
    """A token from a file: of IBM's IAM, or a JWT
    (https://docs.couchdb.org/en/stable/api/server/authn.html#jwt-authentication).

    The file is read again when it has changed, and when the server refuses the token:
    something else writes a new one into it before the old one ends.
    """

    def __init__(self, file: Path, source: str) -> None:
        super().__init__(source)
        self._file = file
        self._lock = threading.Lock()
        self._state: tuple[int, int, int] | None = None
        self._headers: Mapping[str, str] = {}

    def headers(self, sign_in: SignIn) -> Mapping[str, str]:
        with self._lock:
            self._read()
            return self._headers

    def refused(self, sent: Mapping[str, str]) -> bool:
        with self._lock:
            self._state = None
            self._read()
            return self._headers.get("authorization") != sent.get("authorization")

    def _read(self) -> None:
        try:
            told = self._file.stat()
            state = (told.st_mtime_ns, told.st_size, told.st_ino)
            if state == self._state:
                return
            text = self._file.read_bytes()
        except OSError as problem:
            raise UsageError(
                f"the token file cannot be read: {problem.strerror}",
                target=str(self._file),
                hint=f"it is named by {self.source}",
            ) from problem
        token = text.strip()
        if not re.fullmatch(rb"[A-Za-z0-9._~+/=-]+", token):
            raise UsageError(
                "this holds no token" if token else "the token file is empty",
                target=str(self._file),
                hint="the file must hold the token alone, without `Bearer` before it",
            )
        self._headers = {"authorization": f"Bearer {token.decode()}"}
        self._state = state
