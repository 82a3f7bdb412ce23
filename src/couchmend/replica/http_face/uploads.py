"""Attachments on their way in: kept aside until the request is complete, so that no
transaction waits for a slow client."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from couchmend.errors import BadRequest, TooLarge
from couchmend.replica.http_face.calls import Call
from couchmend.replica.http_face.exchange import Inflater, UnsupportedMedia
from couchmend.replica.spool import Spool, Stretch


@dataclass(frozen=True, slots=True)
class Upload:
    """One attachment as it came; `digest` is the MD5 of these bytes in base64."""

    sent: Stretch
    digest: str
    encoding: str = "identity"

    @property
    def length(self) -> int:
        """How many bytes came."""
        return self.sent.length

    def content(self, max_bytes: int) -> Iterator[bytes]:
        """Its bytes, unpacked; raises like `Inflater`."""
        if self.encoding == "identity":
            yield from self.sent
            return
        inflate = Inflater(max_bytes)
        for chunk in self.sent:
            yield from inflate.feed(chunk)
        inflate.finish()


async def take_attachment(call: Call) -> Upload:
    """The whole body as one attachment.

    Raises:
        TooLarge: over the limit for attachments.
        BadRequest: it is not what `Content-MD5` says.
    """
    request = call.request
    encoding = (request.header(b"content-encoding") or "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise UnsupportedMedia("Only gzip and identity content-encodings are supported")
    spool = Spool()
    call.resources.callback(spool.close)
    digest = hashlib.md5(usedforsecurity=False)
    try:
        async for chunk in request.chunks(call.replica.limits.max_attachment_bytes):
            digest.update(chunk)
            await _keep(call, spool, chunk)
    except TooLarge as problem:
        raise attachment_too_large("/".join(call.args[-1:]), problem) from problem
    upload = Upload(Stretch(spool, 0, spool.length), digest_text(digest))
    declared = request.header(b"content-md5")
    if declared is not None and encoding == "identity" and declared != upload.digest:
        raise corrupted()
    return upload


async def _keep(call: Call, spool: Spool, chunk: bytes) -> None:
    await threaded_if(call, spool.would_touch_disk(len(chunk)), spool.write, chunk)


async def threaded_if(call: Call, waits: bool, work: Callable[[bytes], None], chunk: bytes) -> None:
    """Do something with a chunk, in a thread if it may wait for a disk."""
    if waits:
        await call.site.threaded(lambda: work(chunk))
    else:
        work(chunk)


def attachment_too_large(name: str, problem: TooLarge) -> TooLarge:
    """The refusal of an attachment over its limit."""
    return TooLarge(name or problem.reason, error="attachment_too_large", hint=problem.hint)


def corrupted() -> BadRequest:
    """The refusal of bytes that are not what a digest says."""
    return BadRequest("Possible message corruption.", error="content_md5_mismatch")


def digest_text(digest: hashlib._Hash) -> str:
    """A digest in base64."""
    return base64.b64encode(digest.digest()).decode()
