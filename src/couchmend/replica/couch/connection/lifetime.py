"""How long something may be used, and sleeping no longer than that."""

from __future__ import annotations

import threading


class Lifetime:
    """Ends once, by itself or with the one `above` it; whoever sleeps in it wakes then."""

    def __init__(self, above: Lifetime | None = None) -> None:
        self._above = above
        self._ended = False
        self._change: threading.Condition = threading.Condition() if not above else above._change

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._ended or (self._above is not None and self._above.ended)

    def end(self) -> None:
        """End it, for everything below it too."""
        with self._change:
            self._ended = True
            self._change.notify_all()

    def sleep(self, seconds: float) -> None:
        """Wait; less long when it ends meanwhile."""
        with self._change:
            self._change.wait_for(lambda: self.ended, seconds)
