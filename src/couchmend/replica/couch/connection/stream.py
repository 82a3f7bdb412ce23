"""Answers that are read as they come, and only ever taken for whole when they are."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from couchmend.replica.couch.connection import failures
from couchmend.replica.couch.connection.answers import Answer

CHUNK_BYTES = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class Stream(AbstractContextManager["Stream"]):
    """An answer that is read as it comes.  Read to its end, or closed, it costs nothing more.

    One that breaks off in its middle raises `Unavailable`, which is transient.
    """

    def __init__(
        self, response: BaseHTTPResponse, operation: str, target: str, *, uncertain: bool = False
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._operation = operation
        self._target = target
        self._uncertain = uncertain
        self.watch: Callable[[bytes], object] | None = None
        """Is told the body's bytes as they were sent, compressed if they were."""

    @property
    def framed(self) -> bool:
        """Whether the server said how to know the end: else it is where the connection ends."""
        return self._chunked or "content-length" in self.headers

    def answer(self, part: bytes) -> Answer:
        """A part of the body that is an answer by itself: a line of a feed."""
        return Answer(
            self.status, self.headers, part, self._operation, self._target, self._uncertain
        )

    def whole(self) -> bytes:
        """The rest of the body."""
        with self:
            if self._encoding:
                return b"".join(self._pieces())
            try:
                return self._response.read(decode_content=False)
            except (HTTPError, ValueError) as problem:  # a negative length of a chunk, too
                raise self._broken(problem) from problem

    def whole_answer(self) -> Answer:
        """The rest of the body, which must be JSON to its end."""
        framed = self.framed
        answer = self.answer(self.whole())
        # Without a length, a number may have lost its last digits; CouchDB ends with a new line.
        if not framed and answer.body[-1:].isdigit():
            raise answer.cut_off()
        answer.json  # noqa: B018  # raises when it is not JSON
        return answer

    def beginning(self, most_bytes: int) -> bytes:
        """Not more of the body than this; the rest is given up."""
        read = bytearray()
        with self:
            for piece in self._pieces():
                read += piece
                if len(read) >= most_bytes:
                    break
        return bytes(read[:most_bytes])

    def chunks(self) -> Iterator[bytes]:
        """The body; closes the stream at the end or when the reader gives up."""
        with self:
            yield from self._pieces()

    def lines(self) -> Iterator[bytes]:
        """The body line by line, each as soon as it is here."""
        begun: list[bytes] = []
        with self:
            for data in self._pieces():
                first, *others = data.split(b"\n")
                begun.append(first)
                if others:
                    yield b"".join(begun)
                    *whole, last = others
                    yield from whole
                    begun = [last]
            if rest := b"".join(begun):
                yield rest

    def close(self) -> None:
        """Give the connection up, or back when everything was read."""
        if self._response.closed or self._response.length_remaining == 0:
            self._response.release_conn()
        self._response.close()

    def __del__(self) -> None:
        """A generator that was never begun closes nothing: whoever drops it means this."""
        self._response.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def _encoding(self) -> str:
        encoding = self.headers.get("content-encoding", "").strip().lower()
        return "" if encoding == "identity" else encoding

    def _pieces(self) -> Iterator[bytes]:
        match self._encoding:
            case "":
                return self._sent()
            case "gzip" | "x-gzip":
                return self._unzipped()
            case other:
                raise self.answer(b"").bad(f"nobody asked for the encoding {other!r}")

    def _sent(self) -> Iterator[bytes]:
        for data in self._received():
            if self.watch is not None:
                self.watch(data)
            yield data

    def _received(self) -> Iterator[bytes]:
        try:
            if self._chunked:  # each as it comes, and quicker than `read1`
                yield from self._response.stream(CHUNK_BYTES, decode_content=False)
            else:
                while data := self._response.read1(CHUNK_BYTES, decode_content=False):
                    yield data
        except (HTTPError, ValueError) as problem:
            raise self._broken(problem) from problem

    def _unzipped(self) -> Iterator[bytes]:
        """urllib3 would take a compressed body that ends early for whole."""
        member = zlib.decompressobj(_GZIP)
        begun = False
        try:
            for data in self._sent():
                rest, more, begun = data, False, True
                while rest or more:
                    if member.eof:
                        member = zlib.decompressobj(_GZIP)
                    if plain := member.decompress(rest, CHUNK_BYTES):
                        yield plain
                    rest = member.unused_data if member.eof else member.unconsumed_tail
                    # What was read already may hold more than was to be put out at once.
                    more = len(plain) == CHUNK_BYTES and not member.eof
        except zlib.error as problem:
            raise self._cut("its compression is damaged") from problem
        if not member.eof and (begun or not self.framed):
            raise self._cut("its compressed body ends early")

    def _broken(self, problem: HTTPError | ValueError) -> Exception:
        return failures.unreachable(problem, operation=self._operation, target=self._target)

    def _cut(self, how: str) -> Exception:
        return failures.broken_off(how, operation=self._operation, target=self._target)
