"""Whether a name and a password belong together, found out at a bounded price.

A password's hash is costly by design.  What was right a moment ago is not computed again,
the same question asked by many requests at once is computed once, and only a few hashes are
computed at the same time, in threads.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from couchmend.errors import Forbidden, Unauthorized, Unavailable
from couchmend.replica.http_face.guards.throttle import Throttle, Who, network_of
from couchmend.replica.http_face.guards.users import MAX_PASSWORD_BYTES, User, Users

WRONG = "Name or password is incorrect."
LOCKED = "Account is temporarily locked due to multiple authentication failures"


@dataclass(slots=True)
class _Flight:
    """A computation that is under way.  `right` stays None when it was given up."""

    landed: anyio.Event = field(default_factory=anyio.Event)
    right: bool | None = None


class Credentials:
    """Answers on one event loop for the users of one folder.

    cache_seconds, cache_size: how long and how many names with passwords are remembered as
        right.  What is kept is a keyed hash; a change of the users file drops it all.
    threads: how many password hashes are computed at once (64 MiB each).
    waiting: how many more may wait for their turn; the rest is refused.
    """

    def __init__(
        self,
        users: Users,
        *,
        cache_seconds: float = 60.0,
        cache_size: int = 1000,
        threads: int = 2,
        waiting: int = 100,
        throttle: Throttle | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.users = users
        self._cache_seconds = cache_seconds
        self._cache_size = cache_size
        self._waiting = waiting
        self._throttle = throttle or Throttle(clock=clock)
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._right_until: dict[bytes, float] = {}
        self._version = -1
        self._flights: dict[tuple[bytes, Who], _Flight] = {}
        self._limiter = anyio.CapacityLimiter(threads)
        self._nobody = ""

    async def verify(self, name: str, password: str, address: str | None) -> User:
        """The user of this name, if the password is the user's.

        It takes as long for a name that does not exist as for a wrong password.

        Raises:
            Unauthorized: it is not.
            Forbidden: too many wrong passwords for this name from this address.
            Unavailable: too many others are waiting for an answer.
        """
        user = self._user(name)
        known = user.password_hash if user is not None else ""
        who = (name, network_of(address), known)
        if self._throttle.is_locked(who):
            raise Forbidden(LOCKED)
        if len(password) > MAX_PASSWORD_BYTES:
            raise Unauthorized(WRONG)
        digest = self._digest(name, password)
        if user is not None and self._right_until.get(digest, 0.0) > self._clock():
            return user
        right = await self._once(digest, who, known, password)
        # The file may have changed meanwhile.
        user = self._user(name)
        if not right or user is None or user.password_hash != known:
            raise Unauthorized(WRONG)
        self._remember(digest)
        return user

    def _user(self, name: str) -> User | None:
        version, users = self.users.load()
        if version != self._version:
            self._right_until.clear()
            self._version = version
        return users.get(name)

    def _digest(self, name: str, password: str) -> bytes:
        parts = name.encode(), password.encode()
        return hmac.digest(self._key, b"%d:%b:%b" % (len(parts[0]), *parts), hashlib.sha256)

    def _remember(self, digest: bytes) -> None:
        if self._cache_seconds > 0:
            self._right_until.pop(digest, None)
            self._right_until[digest] = self._clock() + self._cache_seconds
            while len(self._right_until) > self._cache_size:
                del self._right_until[next(iter(self._right_until))]

    async def _once(self, digest: bytes, who: Who, known: str, password: str) -> bool:
        """Compute, or wait for whoever computes the same."""
        while True:
            flight = self._flights.get((digest, who))
            if flight is None:
                return await self._compute((digest, who), known, password)
            await flight.landed.wait()
            if flight.right is not None:
                return flight.right

    async def _compute(self, asked: tuple[bytes, Who], known: str, password: str) -> bool:
        who = asked[1]
        if self._limiter.statistics().tasks_waiting >= self._waiting:
            raise Unavailable("Too many sign-ins at once, try again later.")
        flight = self._flights[asked] = _Flight()
        self._throttle.begin(who)
        try:
            flight.right = await anyio.to_thread.run_sync(
                self._is_right, known, password, limiter=self._limiter
            )
        finally:
            del self._flights[asked]
            flight.landed.set()
        if flight.right:
            self._throttle.succeed(who)
        return flight.right

    def _is_right(self, known: str, password: str) -> bool:
        # Several threads may each make one at the very first; any of them will do.
        nobody = self._nobody = self._nobody or self.users.nobody()
        return self.users.matches(known or nobody, password) and known != ""
