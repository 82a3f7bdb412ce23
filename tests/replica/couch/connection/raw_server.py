"""A server that writes what a test tells it to, byte for byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class RawServer:
    """Reads a request and lets `answer` write what it likes; then the connection ends."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[bytes] = []
        self.receive: Callable[[socket.socket], bytes] = request_of
        self.answer: Callable[[socket.socket], None] = lambda client: None

    def say(self, *parts: bytes, pause: threading.Event | None = None, seconds: float = 0) -> None:
        """Write these parts, with a pause after each that ends at once when the event is set."""

        def answer(client: socket.socket) -> None:
            for part in parts:
                client.sendall(part)
                if pause is not None and pause.wait(seconds):
                    return

        self.answer = answer


def request_of(client: socket.socket) -> bytes:
    """A request without a body, or one that says its length."""
    text = b""
    while b"\r\n\r\n" not in text:
        part = client.recv(65536)
        if not part:
            return text
        text += part
    head, _, body = text.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            while len(body) < int(line.partition(b":")[2]):
                body += client.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def raw_server() -> Iterator[RawServer]:
    """A server on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    server = RawServer(listener.getsockname()[1])
    threads: list[threading.Thread] = []

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(30)
            if request := server.receive(client):
                server.requests.append(request)
                server.answer(client)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(client,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for thread in threads:
            thread.join()
