"""A listening socket that can be closed at any moment."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass(slots=True)
class Listening:
    """A listening socket, and the thread that takes connections from it."""

    port: int
    accept: Callable[[socket.socket], None]
    _socket: socket.socket = field(init=False)
    _wake: tuple[socket.socket, socket.socket] = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self._socket.getsockname()[1]
        self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            poll.register(self._wake[0], select.POLLIN)
            if self._wake[0].fileno() in dict(poll.poll()):
                return
            with suppress(OSError):  # it may have gone again
                self.accept(self._socket.accept()[0])

    def close(self) -> None:
        """Listen no more."""
        with suppress(OSError):
            self._wake[1].send(b"x")
        self._thread.join()
        for sock in (self._socket, *self._wake):
            sock.close()
