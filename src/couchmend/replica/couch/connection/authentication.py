"""As whom requests are made: a name and password, a session's cookie, a token from a file.

Each `Authentication` may serve several connections and threads.  `source` says in words
where the credentials come from, so that an error can name it; the credentials themselves
are in no `repr` and no error.
"""

from __future__ import annotations

import base64
import copy
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

from couchmend.errors import ReplicaError, Unauthorized, UsageError
from couchmend.replica.couch.connection.failures import Closed

SignIn = Callable[[bytes], Mapping[str, str]]
"""Posts a form to `_session` and gives the answer's headers; raises `ReplicaError`."""

Check = Callable[[], None]

_COOKIE = re.compile(r"\bAuthSession=([^;,\s]+)")
_LOOK_SECONDS = 0.2
_LIFETIME = re.compile(r"\bmax-age\s*=\s*(\d+)", re.IGNORECASE)


class Authentication(ABC):
    """What is sent to show who asks."""

    def __init__(self, source: str, *parts: object) -> None:
        self.source = source
        self.identity = (type(self), source, *parts)
        """By which two are the same.  There are secrets in it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"

    @abstractmethod
    def headers(self, sign_in: SignIn, check: Check = lambda: None) -> Mapping[str, str]:
        """The headers of a request; may sign in first, or wait for another who does.

        check: raises when nobody wants them any more.

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
    """No credentials at all.  `source`: of those that somebody is about to sign in with."""

    def __init__(self, source: str = "") -> None:
        super().__init__(source)

    def headers(self, sign_in: SignIn, check: Check = lambda: None) -> Mapping[str, str]:
        return {}


class Basic(Authentication):
    """Name and password with every request."""

    def __init__(self, user: str, password: str, source: str) -> None:
        super().__init__(source, user, password)
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"authorization": f"Basic {pair}"}

    def headers(self, sign_in: SignIn, check: Check = lambda: None) -> Mapping[str, str]:
        return self._headers


class _Renewal:
    """A sign-in on its way, and what came of it."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.problem: ReplicaError | None = None


class CookieSession(Authentication):
    """Name and password once, then the session's cookie
    (https://docs.couchdb.org/en/stable/api/server/authn.html#cookie-authentication).

    A session is renewed shortly before it ends and when the server refuses it, by one thread:
    the others that need it wait for that one, and fail with it.  A name and password that were
    refused are not tried again before `pause_seconds` are over, so that no account is locked
    out.
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
        super().__init__(source, user, password)
        self._form = urlencode({"name": user, "password": password}).encode()
        self._clock = clock
        self._pause = pause_seconds
        self._lock = threading.Lock()
        self._cookie: str | None = None
        self._good_until: float | None = None
        self._renewal: _Renewal | None = None
        self._refusal: tuple[Unauthorized, float] | None = None

    def headers(self, sign_in: SignIn, check: Check = lambda: None) -> Mapping[str, str]:
        while True:
            with self._lock:
                if self._cookie is not None and not self._has_ended():
                    return self._shown()
                self._refuse_again()
                others = self._renewal
                if others is None:
                    mine = self._renewal = _Renewal()
            if others is None:
                return self._renew(mine, sign_in)
            while not others.over.wait(_LOOK_SECONDS):
                check()
            if others.problem is not None:
                raise copy.copy(others.problem) from others.problem

    def _renew(self, renewal: _Renewal, sign_in: SignIn) -> Mapping[str, str]:
        """Sign in, for all who wait for `renewal`; without the lock, since it may take long."""
        try:
            headers = sign_in(self._form)
            with self._lock:
                self._cookie = None
                if not self._take(headers):
                    raise Unauthorized(
                        "the server gave no session",
                        target="_session",
                        hint="use basic authentication for this server",
                    )
                return self._shown()
        except Closed:
            raise  # of this connection alone: the others go on
        except ReplicaError as problem:
            renewal.problem = problem
            if isinstance(problem, Unauthorized):
                with self._lock:
                    self._refusal = (problem, self._clock() + self._pause)
            raise
        finally:
            with self._lock:
                self._renewal = None
            renewal.over.set()

    def _shown(self) -> Mapping[str, str]:
        return {"cookie": f"AuthSession={self._cookie}"}

    def _has_ended(self) -> bool:
        return self._good_until is not None and self._clock() >= self._good_until

    def _refuse_again(self) -> None:
        if self._refusal is not None:
            refusal, until = self._refusal
            if self._clock() < until:
                raise copy.copy(refusal) from refusal

    def heard(self, headers: Mapping[str, str]) -> None:
        if "set-cookie" in headers:
            with self._lock:
                self._take(headers)

    def _take(self, headers: Mapping[str, str]) -> bool:
        """Whether there was a session in these headers; it is ours then."""
        told = headers.get("set-cookie", "")
        if found := _COOKIE.search(told):
            lifetime = _LIFETIME.search(told, found.end())
            self._cookie = found[1]
            # The last tenth is left unused: a request takes its time.
            self._good_until = self._clock() + int(lifetime[1]) * 0.9 if lifetime else None
        return found is not None

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
        super().__init__(source, file)
        self._file = file
        self._lock = threading.Lock()
        self._state: tuple[int, int, int] | None = None
        self._headers: Mapping[str, str] = {}

    def headers(self, sign_in: SignIn, check: Check = lambda: None) -> Mapping[str, str]:
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
