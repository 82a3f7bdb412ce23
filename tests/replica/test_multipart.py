"""Bodies of a document and its attachments: framed rightly, as long as they say, sent again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import dumps
from couchmend.errors import BadRequest, ReplicaError
from couchmend.replica.content import WrongLength
from couchmend.replica.http_face.related_reader import RelatedBody, RelatedReader, boundary_of
from couchmend.replica.multipart import Part, Related
from couchmend.replica.spool import Spool


class Chunks:
    """Content that is read anew whenever somebody iterates."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)


def until_it_breaks(body: Related, sent: bytearray) -> None:
    for piece in body:
        sent += piece


def read(body: Related, pieces: Sequence[bytes]) -> tuple[bytes, list[tuple[bytes, str]]]:
    """What a server makes of it: the document, and each part's content and encoding."""
    reader = RelatedReader(Spool(), boundary_of(body.content_type), 1 << 20, 1 << 20)
    for piece in pieces:
        reader.feed(piece)
    result: RelatedBody = reader.result()
    shown = [(b"".join(upload.sent), upload.encoding) for upload in result.uploads]
    reader.spool.close()
    return result.document, shown


contents = st.lists(st.binary(max_size=40) | st.sampled_from([b"\r\n", b"\r\n--", b"--", b"\r"]))


@given(
    st.lists(
        st.tuples(
            st.text(min_size=1, max_size=8) | st.sampled_from(['"', "a\r\nX: y", "é/\0", "\\"]),
            st.text(max_size=8) | st.sampled_from(["text/plain", "a\r\nX: y", "ü/ü"]),
            contents,
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_a_server_reads_what_was_sent(
    given: list[tuple[str, str, list[bytes]]], whole: bool
) -> None:
    parts = []
    for name, content_type, chunks in given:
        content = b"".join(chunks)
        parts.append(Part(name, content_type, len(content), content if whole else Chunks(*chunks)))
    document = dumps({"_id": "a", "_attachments": {}})
    body = Related(document, parts)
    first = list(body)
    assert sum(map(len, first)) == body.length
    assert list(body) == first  # it can be sent again
    said, uploads = read(body, first)
    assert said == document
    assert uploads == [(b"".join(chunks), "identity") for _, _, chunks in given]


@pytest.mark.parametrize(
    "content",
    [
        Chunks(b"abcde", b"f"),
        Chunks(b"abcdef"),
        Chunks(b"abcd"),
        Chunks(b"abcd", b""),
        Chunks(),
        Chunks(b"abcde", b"", b"f"),
    ],
    ids=["longer", "longer-at-once", "shorter", "shorter-and-empty", "nothing", "longer-late"],
)
def test_a_part_that_is_not_as_long_as_it_said_is_never_complete(content: Chunks) -> None:
    body = Related(b"{}", [Part("picture", "image/png", 5, content)])
    sent = bytearray()
    with pytest.raises(WrongLength, match="'picture' does not have the 5 bytes"):
        until_it_breaks(body, sent)
    # A server that counts to five must not get there.
    assert len(sent.rpartition(b"\r\n\r\n")[2]) < 5


def test_the_last_bytes_wait_for_the_verdict_of_the_source() -> None:
    class Damaged(ReplicaError):
        pass

    class Source(Chunks):
        def __iter__(self) -> Iterator[bytes]:
            yield from super().__iter__()
            raise Damaged("the digest does not match")

    body = Related(b"{}", [Part("f", "x/y", 4, Source(b"ab", b"cd"))])
    sent = bytearray()
    with pytest.raises(Damaged):
        until_it_breaks(body, sent)
    assert sent.endswith(b"\r\n\r\nab")


def test_what_cannot_be_read_is_not_taken_for_trouble_with_the_server() -> None:
    class File(Chunks):
        def __iter__(self) -> Iterator[bytes]:
            yield b"a"
            raise OSError("input/output error")

    with pytest.raises(ReplicaError, match="attachment 'f' cannot be read: input/output error"):
        list(Related(b"{}", [Part("f", "x/y", 4, File())]))
    with pytest.raises(BadRequest, match="Invalid attachment data for 'f'"):
        list(Related(b"{}", [Part("f", "x/y", 1, ["a"])]))  # type: ignore[list-item]
