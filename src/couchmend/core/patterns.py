"""Regular expressions of `$regex`: written for PCRE, run by Python's `re`.

CouchDB runs PCRE over the UTF-8 bytes of a string, without its Unicode mode: a letter
beyond ASCII is two or more bytes, `.` matches one of them, and case is ignored for ASCII
only.  So do these patterns.  What the two languages write differently is translated; what
Python lacks (recursion, `\\p{…}`, `\\K`, `(?|…)`, verbs, options in the middle of a pattern)
is refused.

PCRE gives up on a match that takes too long; `re` does not.  A repetition around nothing but
other repetitions, as in `(a+)+`, takes time exponential in the length of a string and is
refused as well.  That keeps out the usual accidents, not every slow pattern: let nobody
write selectors who may not slow the server down.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Search = Callable[[str], bool]


class UnsupportedPattern(ValueError):
    """Not a regular expression, or one that is not supported; the message says why."""


def compile_pattern(pattern: str) -> Search:
    """A function that tells whether a string contains a match.

    Raises:
        UnsupportedPattern: see above.
    """
    translated = _Translation(pattern).run()
    try:
        search = re.compile(translated.encode()).search
    except (re.error, OverflowError, RecursionError) as problem:
        raise UnsupportedPattern(f"it is not a regular expression: {problem}") from problem
    return lambda text: search(text.encode()) is not None


_OUTSIDE: Final = {
    "z": r"\Z", "Z": r"(?=\n?\Z)", "h": r"[\t \xa0]", "H": r"[^\t \xa0]",
    "v": r"[\n\x0b\f\r\x85]", "V": r"[^\n\x0b\f\r\x85]", "N": r"[^\n]", "e": r"\x1b",
    "R": r"(?:\r\n|[\n\x0b\f\r\x85])",
}  # fmt: skip
_IN_CLASS: Final = {"h": r"\t \xa0", "v": r"\n\x0b\f\r\x85", "e": r"\x1b", "b": r"\b"}
_SAME: Final = frozenset("dDwWsSaftnr")
_ANCHORS: Final = frozenset("AbB")
_UNSUPPORTED: Final = frozenset("pPKGCXgoQEcLlUu")
_POSIX: Final = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z",
    "space": r"\s", "blank": r" \t", "punct": r"!-/:-@\[-`{-~", "word": r"\w",
    "print": " -~", "graph": "!-~", "cntrl": r"\x00-\x1f\x7f", "xdigit": "0-9a-fA-F",
}  # fmt: skip
_QUANTIFIER: Final = re.compile(r"([*+?]|\{(\d+)(,?)(\d*)\})([?+]?)")
_GROUP: Final = re.compile(r"\((?:\?(?:P?<(?P<name>\w+)>|'(?P<quoted>\w+)'|"
                           r"(?P<look><?[=!])|(?P<options>[imsx]*-?[imsx]*)(?P<end>[:)])|"
                           r"(?P<atomic>>)|#(?P<comment>[^)]*)\)))?")  # fmt: skip


@dataclass(slots=True)
class _Piece:
    """What is known of a part: `fixed` when it always takes a character by something that is
    not repeated; `loose` when it holds an unbounded repetition, `wild` when one of `.`."""

    fixed: bool = False
    loose: bool = False
    wild: bool = False
    anything: bool = False


@dataclass(slots=True)
class _Group:
    """An open group: the alternatives that are complete, and the one at hand."""

    kind: str
    done: list[_Piece]
    now: _Piece


class _Translation:
    """One walk over a pattern, from left to right."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._out: list[str] = []
        self._groups = [_Group("(", [], _Piece())]

    def run(self) -> str:
        """The pattern in Python's words."""
        while self._at < len(self._text):
            char = self._text[self._at]
            match char:
                case "\\":
                    self._atom(self._escape())
                case "[":
                    self._class()
                    self._atom(_Piece(fixed=True))
                case "(":
                    self._open()
                case ")":
                    self._close()
                case "|":
                    self._take(1)
                    group = self._groups[-1]
                    group.done.append(group.now)
                    group.now = _Piece()
                case "^" | "$":
                    self._take(1)
                    self._atom(_Piece())
                case "{" if not _QUANTIFIER.match(self._text, self._at):
                    self._take(1, r"\{")
                    self._atom(_Piece(fixed=True))
                case "*" | "+" | "?" | "{":
                    raise UnsupportedPattern("there is nothing to repeat")
                case _:
                    self._take(1)
                    self._atom(_Piece(fixed=True, anything=char == "."))
        return "".join(self._out)

    def _take(self, length: int, translated: str | None = None) -> None:
        """Go on by `length` characters, which become `translated` or stay as they are."""
        start, self._at = self._at, self._at + length
        self._out.append(self._text[start : self._at] if translated is None else translated)

    # --- pieces and repetitions

    def _atom(self, piece: _Piece) -> None:
        """A complete piece: look at what repeats it, and add it to the alternative."""
        now = self._groups[-1].now
        found = _QUANTIFIER.match(self._text, self._at)
        if found is None:
            now.fixed |= piece.fixed
            now.loose |= piece.loose
            now.wild |= piece.wild
            return
        self._take(len(found[0]))
        sign, least, comma, most, mode = found.groups()
        if sign[0] == "{":
            unbounded, exact = bool(comma) and not most, not comma
            optional = int(least) == 0
        else:
            unbounded, exact, optional = sign != "?", False, sign != "+"
        if unbounded and ((piece.loose and not piece.fixed) or piece.wild):
            raise UnsupportedPattern(
                "it repeats a repetition, which may take for ever; make the inner one atomic,"
                " as in (?>a+), or put something between that it cannot match"
            )
        if mode == "+":
            now.fixed |= piece.fixed and not optional
            return
        now.loose |= piece.loose or unbounded
        now.wild |= piece.wild or (unbounded and piece.anything)
        now.fixed |= piece.fixed and exact and not optional

    def _escape(self) -> _Piece:
        char = self._text[self._at + 1 : self._at + 2]
        if char in _ANCHORS or char in ("z", "Z"):
            self._take(2, _OUTSIDE.get(char))
            return _Piece()
        if char == "Q":
            return self._literal()
        if char == "k":
            found = re.compile(r"\\k[<{'](\w+)[>}']").match(self._text, self._at)
            if found is None:
                raise UnsupportedPattern("\\k is followed by a group's name")
            self._take(len(found[0]), f"(?P={found[1]})")
        elif char in _OUTSIDE:
            self._take(2, _OUTSIDE[char])
        else:
            self._plain_escape(char)
        return _Piece(fixed=True)

    def _plain_escape(self, char: str) -> None:
        """An escape that is the same inside and outside a class."""
        if char == "x":
            found = re.compile(r"\\x(?:\{([0-9a-fA-F]{1,2})\}|(?!\{)([0-9a-fA-F]{0,2}))").match(
                self._text, self._at
            )
            if found is None:
                raise UnsupportedPattern("\\x{…} is one byte here")
            self._take(len(found[0]), f"\\x{int(found[1] or found[2] or '0', 16):02x}")
        elif char in _UNSUPPORTED:
            raise UnsupportedPattern(f"\\{char} is not supported here")
        elif char in _SAME or char.isdecimal() or not char.isalpha():
            self._take(2)
        else:
            self._take(2, char)  # PCRE takes an unknown letter as itself

    def _literal(self) -> _Piece:
        end = self._text.find(r"\E", self._at)
        end = len(self._text) if end < 0 else end
        literal = self._text[self._at + 2 : end]
        self._take(min(end + 2, len(self._text)) - self._at, f"(?:{re.escape(literal)})")
        return _Piece(fixed=bool(literal))

    def _class(self) -> None:
        found = re.compile(r"(\[\^?\]?)(-?)").match(self._text, self._at)
        if found:
            self._take(len(found[0]), found[1] + (r"\-" if found[2] else ""))
        while True:
            rest = self._text[self._at : self._at + 2]
            if not rest:
                raise UnsupportedPattern("a [ is not closed")
            posix = re.compile(r"\[:(\^?\w+):\]").match(self._text, self._at)
            if posix:
                if posix[1] not in _POSIX:
                    raise UnsupportedPattern(f"[:{posix[1]}:] is not supported here")
                self._take(len(posix[0]), _POSIX[posix[1]])
            elif rest[0] == "]":
                self._take(1)
                return
            elif rest[0] == "\\" and rest[1:] in _IN_CLASS:
                self._take(2, _IN_CLASS[rest[1]])
            elif rest[0] == "\\":
                self._plain_escape(rest[1:])
            elif rest[0] in "[&|~":
                self._take(1, f"\\{rest[0]}")  # Python keeps some of these for sets of sets
            elif rest == "--":
                self._take(2, r"-\-")
            else:
                self._take(1)

    # --- groups

    def _open(self) -> None:
        found = _GROUP.match(self._text, self._at)
        after = self._text[self._at + 1 : self._at + 2]
        if found is None or (found[0] == "(" and after in ("?", "*")):
            raise UnsupportedPattern(f"{self._text[self._at : self._at + 4]} is not supported here")
        if found["comment"] is not None:
            self._take(len(found[0]), "")
            return
        if found["end"] == ")":
            if self._at > 0:
                raise UnsupportedPattern("options stand at the beginning, or as in (?i:…)")
            self._take(len(found[0]))
            return
        name = found["name"] or found["quoted"]
        kind = "look" if found["look"] else "atomic" if found["atomic"] else "("
        self._take(len(found[0]), f"(?P<{name}>" if name else None)
        self._groups.append(_Group(kind, [], _Piece()))

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise UnsupportedPattern("a ) was not opened")
        self._take(1)
        group = self._groups.pop()
        pieces = [*group.done, group.now]
        fixed = all(piece.fixed for piece in pieces)
        if group.kind == "look":
            self._atom(_Piece())
        elif group.kind == "atomic":
            self._atom(_Piece(fixed=fixed))
        else:
            self._atom(
                _Piece(
                    fixed=fixed,
                    loose=any(piece.loose for piece in pieces),
                    wild=any(piece.wild for piece in pieces),
                )
            )
