"""Bells: how live feeds come to know, on the event loop, what threads have written."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

Subscribe = Callable[[Callable[[], None]], Callable[[], None]]


class Bell:
    """Rings for one feed.  `muted` is set when the feed should end."""

    __slots__ = ("_rung", "muted")

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self.muted = False

    async def wait(self, seconds: float) -> bool:
        """Wait for a ring, at most so long; False when none came."""
        if self._rung.is_set():
            return True
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._rung.wait()
        except TimeoutError:
            return self._rung.is_set()
        return True

    def reset(self) -> None:
        """Be ready for the next ring; read the database after this, not before."""
        self._rung.clear()

    def ring(self) -> None:
        """On the event loop: something happened."""
        self._rung.set()

    def mute(self) -> None:
        """On the event loop: the feed should end."""
        self.muted = True
        self._rung.set()


class _Tower:
    """The bells of one database, and the subscription that rings them."""

    __slots__ = ("bells", "pending", "unsubscribe")

    def __init__(self) -> None:
        self.bells: set[Bell] = set()
        self.pending = False
        self.unsubscribe: Callable[[], None] = lambda: None


class Bells:
    """All bells of a server, by what they ring for.  Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._towers: dict[object, _Tower] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ring on this event loop from now on."""
        self._loop = loop

    def hang(self, topic: object, subscribe: Subscribe) -> Bell:
        """A bell for `topic`; the topic's first one subscribes."""
        bell = Bell()
        with self._lock:
            if self._closed:
                bell.mute()
                return bell
            tower = self._towers.get(topic)
            if tower is None:
                tower = self._towers[topic] = _Tower()
                tower.unsubscribe = subscribe(lambda: self._wake(tower))
            tower.bells.add(bell)
        return bell

    def take_down(self, topic: object, bell: Bell) -> None:
        """The feed has ended; the topic's last one unsubscribes."""
        with self._lock:
            tower = self._towers.get(topic)
            if tower is None:
                return
            tower.bells.discard(bell)
            if not tower.bells:
                del self._towers[topic]
                tower.unsubscribe()

    def close(self) -> None:
        """On the event loop: end every feed, and every one that comes later."""
        with self._lock:
            self._closed = True
            bells = [bell for tower in self._towers.values() for bell in tower.bells]
        for bell in bells:
            bell.mute()

    def __len__(self) -> int:
        with self._lock:
            return sum(len(tower.bells) for tower in self._towers.values())

    def _wake(self, tower: _Tower) -> None:
        # Many commits while the loop is busy are one ring.
        if tower.pending or self._loop is None:
            return
        tower.pending = True
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._ring, tower)

    def _ring(self, tower: _Tower) -> None:
        tower.pending = False
        with self._lock:
            bells = list(tower.bells)
        for bell in bells:
            bell.ring()
