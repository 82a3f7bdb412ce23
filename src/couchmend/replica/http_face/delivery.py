"""Sending answers of all kinds, and noticing when there is nobody to send them to."""

from __future__ import annotations

import asyncio
import logging

from couchmend.replica.http_face.calls import Answer
from couchmend.replica.http_face.exchange import (
    NOSNIFF,
    SERVER,
    Headers,
    Reply,
    Request,
    Scope,
    Send,
    Stream,
)
from couchmend.replica.http_face.feeds import Feed
from couchmend.replica.http_face.site import Site

logger = logging.getLogger(__name__)


class Delivery:
    """Sends one answer, or a refusal as long as nothing was sent."""

    def __init__(self, site: Site, scope: Scope, send: Send) -> None:
        self._site = site
        self._send = send
        self._head = scope["method"] == "HEAD"
        self._started = False

    async def deliver(self, request: Request, answer: Answer) -> None:
        """Send an answer of any kind."""
        match answer:
            case Reply():
                await self._reply(answer)
            case Stream():
                await self._stream(request, answer)
            case Feed():
                await self._feed(request, answer)

    async def refuse(self, problem: Exception, reply: Reply) -> None:
        """Send a refusal.  An answer that has begun is broken off, which its client notices."""
        if not self._started:
            await self._reply(reply)
        else:
            logger.warning("an answer was broken off: %s", problem)

    async def _start(self, status: int, headers: Headers) -> None:
        self._started = True
        headers = [*headers, SERVER, NOSNIFF]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _reply(self, reply: Reply) -> None:
        headers = reply.headers
        if reply.status != 304:  # whose length would be that of the entity
            headers = [*headers, (b"content-length", b"%d" % len(reply.body))]
        await self._start(reply.status, headers)
        await self._end(b"" if self._head else reply.body)

    async def _write(self, chunk: bytes) -> None:
        if chunk:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _end(self, body: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": body})

    async def _stream(self, request: Request, stream: Stream) -> None:
        headers = stream.headers
        if stream.length is not None:
            headers = [*headers, (b"content-length", b"%d" % stream.length)]
        gone = asyncio.create_task(request.disconnected())
        try:
            await self._start(stream.status, headers)
            chunk: bytes | None = None if self._head else stream.first
            while chunk is not None and not gone.done():
                await self._write(chunk)
                chunk = await self._site.threaded(lambda: next(stream.chunks, None))
            await self._end()
        finally:
            gone.cancel()
            close = getattr(stream.chunks, "close", None)
            if close is not None:
                await self._site.threaded(close)

    async def _feed(self, request: Request, feed: Feed) -> None:
        await self._start(200, feed.form.headers)
        if not self._head:
            watch = asyncio.create_task(_mute_when_gone(request, feed))
            try:
                await feed.run(self._write, self._site.threaded)
            finally:
                watch.cancel()
        await self._end()


async def _mute_when_gone(request: Request, feed: Feed) -> None:
    await request.disconnected()
    feed.bell.mute()
