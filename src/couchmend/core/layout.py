"""JSON text that keeps the layout of another: indentation, line ends, spelling, final newline.

What stands in the new value as it stood in the old text is copied letter by letter; what is new
is laid out like its neighbours.  So a changed file differs from the old one where it changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from couchmend.core.document import JSON, loads, too_deep
from couchmend.core.values import same
from couchmend.errors import BadRequest

_SPACE = re.compile(r"[ \t\r\n]*")
_ATOM = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,:\[\]{}"]+', re.DOTALL)
_IDENTITIES = ("_id", "id", "uuid", "key")
_MARK = "\ufeff"


@dataclass(slots=True)
class _Part:
    """A value and where it is written.

    names: of an object, each member's name as it is written, up to its value.
    lead: what stands before the first member, `gaps` between any two, `tail` after the last.
    """

    value: JSON
    start: int
    end: int
    members: list[_Part] = field(default_factory=list)
    names: dict[str, tuple[str, _Part]] = field(default_factory=dict)
    lead: str = ""
    gaps: list[str] = field(default_factory=list)
    tail: str = ""


class Layout:
    """A JSON text, its value, and how it is laid out."""

    def __init__(self, text: str) -> None:
        """Read a text.

        Raises:
            BadRequest: it is not JSON, or an object has a name twice.
            DocumentInvalid: it has too many levels.
        """
        loads(text.removeprefix(_MARK).encode())  # says what is wrong
        self._text = text
        self._place = len(text) - len(text.removeprefix(_MARK))
        self._space()
        try:
            self._root = self._part()
        except RecursionError as problem:
            raise too_deep() from problem
        self.value: JSON = self._root.value
        """What the text says."""
        self._ascii = text.isascii() and "\\u" in text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._unit = self._indentation()
        self._colon = self._found(r'"\s*(:\s*)[^\s]', ": ")
        self._comma = self._found(r",( *)\S", " ")

    @classmethod
    def plain(cls) -> Layout:
        """Two spaces a level, and a final newline."""
        return cls('{\n  "a": [\n    1, 2\n  ]\n}\n')

    def write(self, value: JSON) -> str:
        """A value in this layout."""
        before, after = self._text[: self._root.start], self._text[self._root.end :]
        return before + self._written(value, self._root, 0) + after

    # --- reading

    def _part(self) -> _Part:
        start = self._place
        opening = self._text[start]
        if opening in "{[":
            part = _Part({} if opening == "{" else [], start, start)
            self._members(part, opening)
        else:
            part = _Part(loads(self._atom().encode()), start, start)
        part.end = self._place
        return part

    def _members(self, part: _Part, opening: str) -> None:
        self._place += 1
        part.lead = self._space()
        while self._text[self._place] not in "}]":
            name, shown = None, self._place
            if opening == "{":
                name = loads(self._atom().encode())
                self._space()
                self._place += 1
                self._space()
            spelling = self._text[shown : self._place]
            member = self._part()
            part.members.append(member)
            if name is None:
                part.value.append(member.value)
            elif name in part.names:  # one of the two would be lost
                raise BadRequest(f"an object has {json.dumps(name, ensure_ascii=False)} twice")
            else:
                part.value[name] = member.value
                part.names[name] = (spelling, member)
            space = self._space()
            if self._text[self._place] != ",":
                part.tail = space
                break
            self._place += 1
            part.gaps.append(space + "," + self._space())
        self._place += 1

    def _atom(self) -> str:
        found = _ATOM.match(self._text, self._place)
        if found is None:
            raise BadRequest("invalid UTF-8 JSON")
        self._place = found.end()
        return found[0]

    def _space(self) -> str:
        found = _SPACE.match(self._text, self._place)
        self._place = found.end() if found else self._place
        return found[0] if found else ""

    def _indentation(self) -> str:
        """One level's, or nothing where the text is on one line."""
        found = re.search(r"[{\[][ \t]*\r?\n([ \t]+)\S", self._text)
        return found[1] if found else ""

    def _found(self, pattern: str, otherwise: str) -> str:
        found = re.search(pattern, self._text)
        return found[1] if found and "\n" not in found[1] else otherwise

    # --- writing

    def _written(self, value: JSON, part: _Part | None, depth: int | None) -> str:
        if part is None or type(value) is not type(part.value):
            return self._new(value, depth)
        if value is part.value:
            return self._text[part.start : part.end]
        if type(value) is dict:
            return self._object(value, part, depth)
        if type(value) is list:
            return self._list(value, part, depth)
        return (
            self._text[part.start : part.end] if same(value, part.value) else self._new(value, None)
        )

    def _object(self, value: dict[str, JSON], part: _Part, depth: int | None) -> str:
        beneath = self._beneath(part, depth)
        shown: list[tuple[str, _Part | None]] = []
        for name, member in value.items():
            spelling, old = part.names.get(name, (f"{self._atomic(name)}{self._colon}", None))
            shown.append((spelling + self._written(member, old, beneath), old))
        return self._joined("{", shown, "}", part, depth)

    def _list(self, value: list[JSON], part: _Part, depth: int | None) -> str:
        beneath = self._beneath(part, depth)
        pairs = zip(value, _old_parts(value, part.members), strict=True)
        shown = [(self._written(element, old, beneath), old) for element, old in pairs]
        return self._joined("[", shown, "]", part, depth)

    @staticmethod
    def _beneath(part: _Part, depth: int | None) -> int | None:
        """The depth of what is in a value that was written so; None is within a line."""
        if depth is None or (part.members and "\n" not in part.lead + "".join(part.gaps)):
            return None
        return depth + 1

    def _joined(
        self,
        opening: str,
        shown: Sequence[tuple[str, _Part | None]],
        closing: str,
        part: _Part,
        depth: int | None,
    ) -> str:
        """Members with what stands between them: as before where they were neighbours."""
        if not shown:
            return opening + closing
        if not part.members:
            return self._laid_out(opening, [text for text, _ in shown], closing, depth)
        usual = f",{part.lead}" if "\n" in part.lead else f",{self._comma}"
        usual = part.gaps[-1] if part.gaps else usual
        places = {id(member): place for place, member in enumerate(part.members)}
        written = [opening, part.lead]
        last: int | None = None
        for number, (text, old) in enumerate(shown):
            place = places.get(id(old))
            if number:
                neighbours = last is not None and place == last + 1
                written.append(part.gaps[last] if last is not None and neighbours else usual)
            written.append(text)
            last = place
        return "".join([*written, part.tail, closing])

    def _new(self, value: JSON, depth: int | None) -> str:
        beneath = None if depth is None else depth + 1
        if type(value) is dict and value:
            members = [
                f"{self._atomic(name)}{self._colon}{self._new(member, beneath)}"
                for name, member in value.items()
            ]
            return self._laid_out("{", members, "}", depth)
        if type(value) is list and value:
            return self._laid_out("[", [self._new(one, beneath) for one in value], "]", depth)
        return self._atomic(value)

    def _laid_out(self, opening: str, shown: Sequence[str], closing: str, depth: int | None) -> str:
        if depth is None or not self._unit:
            return f"{opening}{f',{self._comma}'.join(shown)}{closing}"
        outer = self._newline + self._unit * depth
        inner = outer + self._unit
        return f"{opening}{inner}{f',{inner}'.join(shown)}{outer}{closing}"

    def _atomic(self, value: JSON) -> str:
        return json.dumps(value, ensure_ascii=self._ascii, allow_nan=False)


def _old_parts(value: Sequence[JSON], parts: Sequence[_Part]) -> Iterator[_Part | None]:
    """For each element of a list, how it was written: it itself, or what it was before."""
    unused = {id(part.value): part for part in parts}
    kept = [unused.pop(id(element), None) for element in value]
    by_identity = {_identity(part.value): part for part in unused.values()}
    for element, part in zip(value, kept, strict=True):
        yield part or (by_identity.get(_identity(element)) if type(element) is dict else None)


def _identity(element: JSON) -> tuple[str, str] | None:
    if type(element) is dict:
        for name in _IDENTITIES:
            if isinstance(element.get(name), str | int):
                return name, str(element[name])
    return None
