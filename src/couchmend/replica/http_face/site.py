"""What all requests of one server share."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import anyio.to_thread

from couchmend.core.document import Doc
from couchmend.replica.couch.connection.servers import Servers
from couchmend.replica.embedded import EmbeddedReplica, Folder
from couchmend.replica.http_face.bells import Bells
from couchmend.replica.http_face.news import News
from couchmend.settings import ReplicaServer, Server

logger = logging.getLogger(__name__)

THREADS = 40
"""Requests that are worked on at once.  Live feeds take a thread only while they read."""
SLOW_THREADS = 4

T = TypeVar("T")


class Tasks:
    """What is under way, for `_active_tasks`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, Doc] = {}

    @contextmanager
    def running(self, **facts: object) -> Iterator[Doc]:
        """Have a task listed while it runs; the dict may be updated."""
        now = int(time.time())
        task: Doc = {"started_on": now, "updated_on": now, **facts}
        with self._lock:
            self._running[id(task)] = task
        try:
            yield task
        finally:
            with self._lock:
                del self._running[id(task)]

    def listed(self) -> list[Doc]:
        """All of them, oldest first."""
        with self._lock:
            return [dict(task) for task in self._running.values()]


class Site:
    """A folder of databases that is being served."""

    def __init__(
        self, folder: Folder, settings: ReplicaServer, servers: Sequence[Server] = ()
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.servers = _without_credentials(servers)
        """How to talk to other servers; not as whom."""
        self.bells = Bells()
        self.tasks = Tasks()
        self.news = News(folder)
        self.uuid = hashlib.sha256(folder.url.encode()).hexdigest()[:32]
        self._looked_at: set[str] = set()
        self._warned: set[tuple[str, str]] = set()
        self._threads = anyio.CapacityLimiter(THREADS)
        self._slow = anyio.CapacityLimiter(SLOW_THREADS)

    def warn_about(self, replica: EmbeddedReplica, *, again: bool = False) -> None:
        """Log what an operator should know of a database, each sentence once."""
        if again or replica.instance_id not in self._looked_at:
            self._looked_at.add(replica.instance_id)
            for notice in replica.info().notices:
                if (replica.instance_id, notice) not in self._warned:
                    self._warned.add((replica.instance_id, notice))
                    logger.warning("database %s: %s", replica.name, notice)

    def new_id(self) -> str:
        """A name for a document that came without one."""
        return uuid.uuid4().hex

    async def threaded(self, work: Callable[[], T]) -> T:
        """Run `work` in a worker thread."""
        return await anyio.to_thread.run_sync(work, limiter=self._threads)

    async def threaded_slowly(self, work: Callable[[], T]) -> T:
        """The same for what may take minutes, so that it does not hold up requests."""
        return await anyio.to_thread.run_sync(work, limiter=self._slow)

    def close(self) -> None:
        """End all live feeds; on the event loop."""
        self.bells.close()
        self.news.close()


def _without_credentials(servers: Sequence[Server]) -> Servers:
    """Names, passwords and tokens are the operator's: they are not lent to whoever may call the
    server.  A client certificate stays, without which a server may not be reached at all."""
    entries = [
        replace(entry, user=None, password_file=None, token_file=None, authentication=None)
        for entry in servers
    ]
    return Servers(entries, environment={})
