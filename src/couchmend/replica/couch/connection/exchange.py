"""One request and its answer on their way: how long each wait may be, and how far they got."""

from __future__ import annotations

import time
from collections.abc import Callable


class Overdue(TimeoutError):
    """Somebody was waited for long enough; the words name the setting that says how long."""

    def __init__(self, what: str, *, drips: bool) -> None:
        super().__init__(what)
        self.drips = drips
        """Whether bytes went to and fro all the time, only too slowly."""


class Exchange:
    """Time limits, as they are at the moment, and what is known of the connection.

    Sending, waiting for the head of the answer and reading its body follow each other; one
    thread at a time is in it.
    """

    def __init__(
        self,
        silence_seconds: float,
        total_seconds: float | None = None,
        *,
        silence_setting: str = "",
        upload: bool = False,
    ) -> None:
        """The limits; a total begins now, for an `upload` when it has been sent.

        silence_seconds: how long nothing may move, and how long the head of the answer may
            take.
        total_seconds: for all, up to the end of the answer; None does not limit it.
        silence_setting: the setting that bounds silence, if one does.
        """
        self._silence = silence_seconds
        seconds = f"{silence_seconds:g} s"
        self._limit = f"{silence_setting} ({seconds})" if silence_setting else seconds
        self._total = total_seconds
        self._until = None if upload or total_seconds is None else _in(total_seconds)
        self._head_until: float | None = None
        self._is_sending = True
        self._why: Callable[[], Overdue] = self._silent
        self.heard = False
        """Whether the connection ever brought a byte of an answer."""

    @property
    def in_head(self) -> bool:
        """Whether the head of the answer is being read."""
        return self._head_until is not None

    def was_sent(self) -> None:
        """From now on the answer is waited for."""
        self._is_sending = False
        self._head_until = _in(self._silence)
        if self._until is None and self._total is not None:
            self._until = _in(self._total)

    def head_came(self) -> None:
        """From now on the body is waited for."""
        self._head_until = None

    def longest_wait(self) -> float:
        """How long the next wait may take, in seconds.

        Raises:
            Overdue: it is too late.
        """
        seconds, why = self._silence, self._silent
        now = time.monotonic()
        if self._head_until is not None and self._head_until - now < seconds:
            seconds, why = self._head_until - now, self._slow_head
        if self._until is not None and self._until - now < seconds:
            seconds, why = self._until - now, self._slow
        if seconds <= 0:
            raise why()
        self._why = why
        return seconds

    def overdue(self) -> Overdue:
        """What it means that the last wait brought nothing."""
        return self._why()

    def _silent(self) -> Overdue:
        what = "nothing that is sent was taken" if self._is_sending else "nothing came"
        return Overdue(f"{what} within {self._limit}", drips=False)

    def _slow_head(self) -> Overdue:
        return Overdue(f"the answer did not begin within {self._limit}", drips=self.heard)

    def _slow(self) -> Overdue:
        what = "the request and its answer took longer than"
        return Overdue(f"{what} answer_timeout_seconds ({self._total:g} s)", drips=True)


def _in(seconds: float) -> float:
    return time.monotonic() + seconds
