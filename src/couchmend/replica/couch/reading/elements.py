"""The elements of one array of a large answer, as they arrive, in constant memory.

CouchDB answers `{"results":[ … ],"last_seq": …}` with millions of rows.  What has arrived is
cut at a comma between two elements, and everything before it is read by one call of the
codec.  Where such a comma is may be guessed, since a wrong guess is found out: a part that
was cut at a comma within an element, put between brackets, is never JSON.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from couchmend.core.document import JSON, Doc, loads
from couchmend.errors import BadRequest
from couchmend.replica.couch.connection.answers import Answer

LIMIT_BYTES = 1 << 30
"""An element that is larger is given up: CouchDB's own limit for a document is far smaller."""

# Where rows are no lines, most of them are passed over whole if they nest no deeper than so.
_LEVELS = 5

# The codec reads a part with a very long number ten times as slowly, and one or two of a
# thousand revisions look as if they had one: small parts keep the others fast.
_PART_BYTES = 4096

_BETWEEN_ROWS = (b",\r\n", b",\n{", b'}]},{"id":"')
"""What is between the rows of CouchDB's feeds and listings, of other servers that write a row a
line, and of CouchDB's bulk reads."""

_LONGEST_BETWEEN = max(map(len, _BETWEEN_ROWS)) - 1

_WRONG_GUESSES = 4
"""So many, and the answer is of another layout: its commas are counted, not guessed."""

_COMMA, _QUOTE, _OPEN_LIST, _CLOSE_LIST, _OPEN, _CLOSE = b',"[]{}'
_BLANK = b" \t\r\n"
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)


def _skipping(stops: bytes, levels: int) -> re.Pattern[bytes]:
    """What skips to the next bracket or other byte of `stops`: past whole strings, and past
    whole lists and objects that do not nest deeper than `levels`."""
    nested = b""
    for _ in range(levels):
        nested = rb"|[{\[](?:[^\"{}\[\]]++|%b%b)*+[}\]]" % (_STRING, nested)
    return re.compile(rb'(?:[^"{}\[\]%b]++|%b%b)*+' % (stops, _STRING, nested), re.DOTALL)


_TO_ANY_BRACKET_OR_COMMA = _skipping(b",", 0)
_TO_BRACKET_OR_COMMA = _skipping(b",", _LEVELS)
_TO_BRACKET = _skipping(b"", _LEVELS)


class _Part(Enum):
    """Where in the answer the reader is."""

    HEAD = auto()
    ARRAY = auto()
    TAIL = auto()
    DONE = auto()


class ArrayReader:
    """Reads a JSON object whose member `member` is a large array.

    `feed` it with the answer as it comes, and take the elements that are whole; `finish` it
    for the other members.  Any JSON will do, broken up anywhere.  `answer` stands for the
    answer in errors.

    Raises:
        ReplicaError: `bad_answer` when this is not JSON, has no such array, or has an element
            larger than `limit_bytes`.
        Unavailable: transient, when the text ends before its end.
    """

    def __init__(self, answer: Answer, member: str, limit_bytes: int = LIMIT_BYTES) -> None:
        self._answer = answer
        self._member = member
        self._limit = limit_bytes
        self._part = _Part.HEAD
        self._text = bytearray()
        self._head = b""
        self._start = 0  # of what was not taken yet: an element, or a member before the array
        self._scanned = 0
        self._depth = 0
        self._in_string = False
        self._guesses = _WRONG_GUESSES
        self._any = False

    def feed(self, data: bytes) -> list[JSON]:
        """The elements that `data` completes."""
        if len(data) <= _PART_BYTES:
            return self._feed(data)
        elements: list[JSON] = []
        for start in range(0, len(data), _PART_BYTES):
            elements += self._feed(data[start : start + _PART_BYTES])
        return elements

    def finish(self) -> Doc:
        """The other members, before the array and after it; there is no more to feed."""
        if self._part is not _Part.DONE:
            raise self._answer.cut_off()
        value = self._read(self._head + b"[]" + self._text)
        # The tail by itself, since of members with one name the last would hide the others.
        if self._member in self._read(b'{"":0' + self._text):
            raise self._answer.bad(f"`{self._member}` is there twice")
        members = self._answer.as_object(value)
        del members[self._member]
        return members

    def _feed(self, data: bytes) -> list[JSON]:
        seen = len(self._text)
        self._text += data
        elements: list[JSON] = []
        if self._part is _Part.HEAD:
            self._scan_head()
        if self._part is _Part.ARRAY:
            if self._guesses:
                elements = self._take_rows(max(self._start, seen - _LONGEST_BETWEEN))
            elements += self._scan_array()
            del self._text[: self._start]
            self._scanned -= self._start
            self._start = 0
        if self._part is _Part.TAIL:
            self._scan_tail()
        if self._part is _Part.DONE and self._text[self._scanned :].strip(_BLANK):
            raise self._answer.bad(f"something follows its end: {self._shown(self._scanned)}")
        if len(self._text) > self._limit:
            raise self._answer.bad(f"a row of more than {self._limit} bytes")
        return elements

    # --- before the array, and after it

    def _scan_head(self) -> None:
        if not self._depth:
            text = self._text.lstrip(_BLANK)
            if not text:
                return
            if text[0] != _OPEN:
                raise self._answer.not_json(bytes(text))
        while (byte := self._next()) is not None:
            if self._depth == 2 and byte == _OPEN_LIST and self._is_ours():
                self._head = bytes(self._text[: self._scanned - 1])
                self._start = self._scanned
                self._part = _Part.ARRAY
                return
            if self._depth == 1 and byte in (_COMMA, _OPEN):
                self._start = self._scanned
            elif not self._depth:
                self._read(bytes(self._text[: self._scanned]))
                raise self._answer.bad(f"`{self._member}` is missing or no list: {self._shown(0)}")

    def _is_ours(self) -> bool:
        value = self._read(b"{" + self._text[self._start : self._scanned] + b"]}")
        return isinstance(value, dict) and self._member in value

    def _scan_tail(self) -> None:
        while self._depth and self._next() is not None:
            pass
        if not self._depth:
            self._part = _Part.DONE

    # --- the array

    def _take_rows(self, start: int) -> list[JSON]:
        """What ends where a row seems to end, if that is the end of an element."""
        for between in _BETWEEN_ROWS:
            found = self._text.rfind(between, start)
            if found >= 0:
                break
        else:
            return []
        cut = found + between.index(_COMMA)
        try:
            elements: list[JSON] = loads(b"[" + self._text[self._start : cut] + b"]")
        except BadRequest:
            elements = []
        if not elements:
            self._guesses -= 1  # or it is nonsense, which the scan will find
            return []
        self._any = True
        self._start = self._scanned = cut + 1
        self._depth, self._in_string = 2, False
        return elements

    def _scan_array(self) -> list[JSON]:
        """What ends before the last comma, or before the end of the array."""
        cut, count = self._start, 0
        while (byte := self._next()) is not None:
            if self._depth == 2 and byte == _COMMA:
                cut, count = self._scanned - 1, count + 1
            elif self._depth == 1:
                if byte != _CLOSE_LIST:
                    raise self._answer.bad(f"`{self._member}` is no list to its end")
                return self._end_array(self._scanned - 1, count)
        if not count:
            return []
        elements = self._elements(cut, count)
        self._start = cut + 1
        return elements

    def _end_array(self, end: int, commas: int) -> list[JSON]:
        empty = not self._any and not commas and not self._text[self._start : end].strip(_BLANK)
        elements = [] if empty else self._elements(end, commas + 1)
        self._start = end + 1
        self._part = _Part.TAIL
        return elements

    def _elements(self, end: int, count: int) -> list[JSON]:
        elements: list[JSON] = self._read(b"[" + self._text[self._start : end] + b"]")
        if len(elements) != count:
            raise self._answer.bad(f"a comma without a row: {self._shown(self._start)}")
        self._any = True
        return elements

    # --- reading ahead

    def _next(self) -> int | None:
        """The next bracket, or comma where it counts; None when there is none yet."""
        if self._in_string and not self._skip_string():
            return None
        if self._depth > 2:
            pattern = _TO_BRACKET
        else:
            in_head = self._part is _Part.HEAD
            pattern = _TO_ANY_BRACKET_OR_COMMA if in_head else _TO_BRACKET_OR_COMMA
        at = _end_of(pattern, self._text, self._scanned)
        self._scanned = at
        if at == len(self._text):
            return None
        byte = self._text[at]
        self._scanned = at + 1
        if byte == _QUOTE:  # of a string that has not ended yet
            self._in_string = True
            self._skip_string()
            return None
        if byte in (_OPEN, _OPEN_LIST):
            self._depth += 1
        elif byte != _COMMA:
            self._depth -= 1
        return byte

    def _skip_string(self) -> bool:
        """Whether the string that was begun has ended."""
        at = _end_of(_REST_OF_STRING, self._text, self._scanned)
        self._scanned = at
        if at == len(self._text) or self._text[at] != _QUOTE:
            return False
        self._scanned = at + 1
        self._in_string = False
        return True

    def _read(self, text: bytes) -> JSON:
        try:
            return loads(text)
        except BadRequest as problem:
            raise self._answer.not_json(text) from problem

    def _shown(self, start: int) -> str:
        return bytes(self._text[start : start + 100]).decode(errors="replace")


def _end_of(pattern: re.Pattern[bytes], text: bytearray, start: int) -> int:
    match = pattern.match(text, start)
    assert match is not None  # every pattern matches nothing, too
    return match.end()
