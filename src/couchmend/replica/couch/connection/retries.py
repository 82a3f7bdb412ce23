"""When to try again, and how long to wait before: exponential backoff with full jitter.

Why full jitter: clients that were refused together must not come back together
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
"""

from __future__ import annotations

import math
import random as chance
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NoReturn

from couchmend.errors import ReplicaError


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often, and how patiently, what failed for a while is tried again.

    attempts: of one request, the first included; 1 never tries again.
    first_pause_seconds, longest_pause_seconds: a pause is anything up to the first, doubled
        after every attempt, but never longer than the longest.
    longest_retry_after_seconds: a server that asks for more patience than this gets none:
        the error that says so is raised at once, and the others who share the server's
        throttle wait so long before they ask it again.
    total_seconds: after so long no further attempt begins.
    clock: seconds that only grow.
    random: a number from 0 up to 1.
    """

    attempts: int = 6
    first_pause_seconds: float = 0.25
    longest_pause_seconds: float = 20.0
    longest_retry_after_seconds: float = 120.0
    total_seconds: float = 300.0
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = chance.random


class Patience:
    """The attempts that are left for one request, or for one long reading.

    `sleep` waits, and raises when whoever waits was closed meanwhile.
    """

    def __init__(self, retries: Retries, sleep: Callable[[float], None]) -> None:
        self._retries = retries
        self._sleep = sleep
        self._began: float | None = retries.clock()
        self._failed = 0

    def renew(self) -> None:
        """There was progress: all attempts are available again."""
        self._failed = 0
        self._began = None  # with the next failure: whoever reads may take his time

    def wait(self, problem: ReplicaError, most_attempts: int | None = None) -> None:
        """Wait as long as `problem` makes advisable; with fewer attempts than usual if told so.

        Raises:
            ReplicaError: `problem` itself, when waiting would not help or no attempt is left.
        """
        self._failed += 1
        if not problem.transient:
            raise problem
        pause = self._pause(problem, min(self._retries.attempts, most_attempts or math.inf))
        self._sleep(pause)

    def _pause(self, problem: ReplicaError, most_attempts: float) -> float:
        retries = self._retries
        now = retries.clock()
        self._began = now if self._began is None else self._began
        asked = problem.retry_after_seconds
        if asked is not None and asked > retries.longest_retry_after_seconds:
            _give_up(problem, f"the server asks to wait for {asked:.0f} seconds; try again then")
        if self._failed >= most_attempts:
            _give_up(problem, f"tried {self._failed} times" if self._failed > 1 else "")
        doubled = retries.first_pause_seconds * 2.0 ** min(self._failed - 1, 60)
        pause = min(doubled, retries.longest_pause_seconds) * retries.random()
        if asked is not None:
            pause += asked  # the jitter spreads those who were asked the same
        if now - self._began + pause > retries.total_seconds:
            _give_up(problem, f"tried {self._failed} times" if self._failed > 1 else "")
        return pause


def _give_up(problem: ReplicaError, why: str) -> NoReturn:
    problem.hint = "; ".join(part for part in (why, problem.hint) if part)
    raise problem


def asked_to_wait(headers: Mapping[str, str], now: float) -> float | None:
    """How many seconds `Retry-After` asks to wait, or None.

    It is a number or a date; a date counts from the server's own clock where it told that.
    now: the time, for servers that did not.  (RFC 9110, 10.2.3)
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:12])
    until = _seconds(text)
    if until is None:
        return None
    told = _seconds(headers.get("date", ""))
    return max(0.0, until - (now if told is None else told))


def _seconds(date: str) -> float | None:
    try:
        parsed = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
