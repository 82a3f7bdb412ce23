"""A limit on wrong passwords: after a few, a name is locked for the address that tried it."""

from __future__ import annotations

import functools
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Who: TypeAlias = tuple[str, str, str]
"""The name that was tried, the network that it was tried from, and the password hash that was
tried against: a new password starts with a clean slate."""


@dataclass(slots=True)
class _Tries:
    since: float
    count: int = 0


class Throttle:
    """Counts tries to sign in that did not succeed, for each name and address.

    After `most` failures within `window_seconds` of the first one, all tries are refused until
    the window is over (https://docs.couchdb.org/en/stable/config/auth.html, section
    `chttpd_auth_lockout`).  At most `size` names and addresses are remembered; the oldest are
    forgotten first.  Not for use from several threads.
    """

    def __init__(
        self,
        *,
        most: int = 5,
        window_seconds: float = 300.0,
        size: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._window = window_seconds
        self._size = size
        self._clock = clock
        self._tries: OrderedDict[Who, _Tries] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tries)

    def is_locked(self, who: Who) -> bool:
        """Whether `who` has to wait."""
        tries = self._current(who)
        return tries is not None and tries.count >= self._most

    def begin(self, who: Who) -> None:
        """Count a try as failed until `succeed` says otherwise, so that tries at the same
        time do not slip through together."""
        tries = self._current(who)
        if tries is None:
            tries = self._tries[who] = _Tries(self._clock())
            while len(self._tries) > self._size:
                self._tries.popitem(last=False)
        tries.count += 1

    def succeed(self, who: Who) -> None:
        """Take back the count of a try that succeeded; earlier failures stay counted."""
        tries = self._current(who)
        if tries is not None:
            tries.count -= 1
            if tries.count <= 0:
                del self._tries[who]

    def _current(self, who: Who) -> _Tries | None:
        tries = self._tries.get(who)
        if tries is not None and self._clock() - tries.since >= self._window:
            del self._tries[who]
            return None
        return tries


@functools.lru_cache(maxsize=256)
def network_of(address: str | None) -> str:
    """The address as far as one client cannot change it: an IPv6 client has a whole /64."""
    try:
        known = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)
