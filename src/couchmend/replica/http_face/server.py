"""Running the application: a server that ends its live feeds before it goes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import uvicorn

from couchmend.errors import Unavailable
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.app import CouchApp, create_app
from couchmend.settings import ReplicaServer, Server

GRACE_SECONDS = 5
BACKLOG = 1024
KEEP_ALIVE_SECONDS = 75


class HttpServer(uvicorn.Server):
    """uvicorn, bound to its address before it starts.

    Raises:
        UsageError: the settings would open a folder without users to others.
        Unavailable: the address cannot be listened on.
    """

    def __init__(
        self,
        folder: Folder,
        settings: ReplicaServer | None = None,
        ready: Callable[[str], None] = lambda url: None,
        servers: Sequence[Server] = (),
    ) -> None:
        settings = settings or ReplicaServer()
        self.app = create_app(folder, settings, servers)
        self._ready = ready
        self._socket = _listen(settings.host, settings.port)
        self.url = _url(self._socket)
        super().__init__(
            uvicorn.Config(
                self.app,
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )

    def serve_until_told(self) -> None:
        """Serve until a signal, or until `should_exit` is set."""
        try:
            self.run(sockets=[self._socket])
        finally:
            self._socket.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and tell that the server is ready."""
        await super().startup(sockets)
        if self.started:
            self._ready(self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the feeds, then let what is under way come to its end."""
        self.app.end_feeds()
        await super().shutdown(sockets)


def serve(
    folder: Folder,
    settings: ReplicaServer | None = None,
    *,
    ready: Callable[[str], None] = lambda url: None,
    servers: Sequence[Server] = (),
) -> None:
    """Serve a folder of databases until the process is told to end (SIGINT, SIGTERM).

    `ready` is called with the address once the server answers.  When the server has ended, the
    signal is raised again, for the handler that the caller has set.  Raises like `HttpServer`.

    servers: as for `create_app`.
    """
    HttpServer(folder, settings, ready, servers).serve_until_told()


class BackgroundServer:
    """The same in a thread, for a `with` block: `url` says where it answers."""

    def __init__(
        self,
        folder: Folder,
        settings: ReplicaServer | None = None,
        servers: Sequence[Server] = (),
    ) -> None:
        self._answers = threading.Event()
        self._server = HttpServer(folder, settings, lambda url: self._answers.set(), servers)
        self.url = self._server.url
        self._thread = threading.Thread(target=self._serve, name="couchmend-serve", daemon=True)

    @property
    def app(self) -> CouchApp:
        """The application that is served."""
        return self._server.app

    def __enter__(self) -> Self:
        self._thread.start()
        self._answers.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join()

    def _serve(self) -> None:
        try:
            self._server.serve_until_told()
        finally:
            self._answers.set()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as problem:
        raise Unavailable(
            str(problem),
            operation="listen",
            target=f"{host}:{port}",
            hint="another program may have the port; choose another one, or 0 for a free one",
        ) from problem
    listening.set_inheritable(True)
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
