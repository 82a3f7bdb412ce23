"""What is written as an attachment's content: bytes, or chunks that come from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from couchmend.core.document import JSON
from couchmend.errors import BadRequest, ReplicaError
from couchmend.replica.spool import Spool, Stretch

_LONGEST = 1 << 63


class WrongLength(BadRequest):
    """An attachment has more or fewer bytes than was said of it."""

    def __init__(self, name: str, said: int | None) -> None:
        super().__init__(
            f"attachment {name!r} does not have the {said} bytes that were announced",
            hint="it was cut off or changed where it comes from; or leave its `length` out",
        )


def plain_length(entry: Mapping[str, JSON]) -> int | None:
    """How many bytes an attachment has, as its entry in `_attachments` says; None if it does
    not say so.

    CouchDB does not know it of what it was sent compressed, and shows the compressed length
    then.  So entries must have been read with `att_encoding_info` to be taken at their word.
    """
    length = entry.get("length")
    if type(length) is not int or not 0 <= length < _LONGEST:
        return None
    packed = entry.get("encoding", "identity") != "identity"
    return None if packed and entry.get("encoded_length", length) == length else length


def is_given(entry: JSON) -> bool:
    """Whether an entry of `_attachments` brings content that is not base64 already."""
    return (
        isinstance(entry, Mapping)
        and "data" in entry
        and entry.get("stub") is not True
        and not isinstance(entry["data"], str)
    )


def is_read_once(data: JSON) -> bool:
    """Whether content is gone when it was read.  Asked so, nothing is opened to read from."""
    return isinstance(data, Iterator)


def only_bytes(name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks of an attachment's content as they come.

    Raises:
        BadRequest: they are no bytes.
        ReplicaError: they cannot be read; an `OSError` would pass for trouble with a server.
    """
    try:
        for chunk in chunks:
            if not isinstance(chunk, bytes):
                raise BadRequest(f"Invalid attachment data for {name!r}")
            yield chunk
    except OSError as problem:
        raise ReplicaError(f"attachment {name!r} cannot be read: {problem}") from problem


class Checked:
    """Chunks that can be read any number of times, as `only_bytes` reads them."""

    def __init__(self, name: str, chunks: Iterable[bytes]) -> None:
        self._name = name
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return only_bytes(self._name, self._chunks)


class Keeper:
    """Takes in what can be read only once, so that it can be read again.  All that one call
    writes shares one temporary file, which lives until `resources` are closed."""

    def __init__(self, resources: ExitStack) -> None:
        self._resources = resources
        self._spool: Spool | None = None

    def keep(self, name: str, chunks: Iterable[bytes], said: int | None) -> Stretch:
        """The same content.

        Raises:
            WrongLength: it is not as long as was said.
            BadRequest, ReplicaError: as `only_bytes`.
        """
        if self._spool is None:
            self._spool = Spool()
            self._resources.callback(self._spool.close)
        stretch = self._spool.take(only_bytes(name, chunks))
        if said not in (None, stretch.length):
            raise WrongLength(name, said)
        return stretch


class _Refused:
    """Content that was found to be none; whoever reads it is told."""

    def __init__(self, problem: BadRequest) -> None:
        self._problem = problem

    def __iter__(self) -> Iterator[bytes]:
        raise self._problem


def kept(docs: Sequence[Mapping[str, JSON]], resources: ExitStack) -> list[Mapping[str, JSON]]:
    """The documents, with attachments that can be read any number of times; those that are no
    bytes, or not as long as their entries say, raise `BadRequest` each time.

    resources: what closes temporary files.

    Raises:
        ReplicaError: content cannot be read.
    """
    keeper = Keeper(resources)
    return [_kept(doc, keeper) for doc in docs]


def _kept(doc: JSON, keeper: Keeper) -> JSON:
    entries = doc.get("_attachments") if isinstance(doc, Mapping) else None
    if not isinstance(entries, Mapping):
        return doc
    again = {
        name: {**entry, "data": _kept_content(name, entry, keeper)}
        for name, entry in entries.items()
        if is_given(entry) and is_read_once(entry["data"])
    }
    return {**doc, "_attachments": {**entries, **again}} if again else doc


def _kept_content(name: str, entry: Mapping[str, JSON], keeper: Keeper) -> Iterable[bytes]:
    try:
        return keeper.keep(name, entry["data"], plain_length(entry))
    except BadRequest as problem:
        return _Refused(problem)
