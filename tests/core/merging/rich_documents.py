"""Documents with everything that is merged in a way of its own, and edits of them: texts, sets,
sequences, records, lists whose elements have identities."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from couchmend.core.document import JSON

WORDS = st.sampled_from(["a", "b", "c", "d"])
NUMBERS = st.integers(0, 2)
TEXTS = st.lists(st.sampled_from(["a b c", "a", "x b", "- d", ""]), max_size=4).map("\n".join)
RECORDS = st.fixed_dictionaries({"t": WORDS, "n": NUMBERS}, optional={"u": NUMBERS})
ELEMENTS = st.fixed_dictionaries(
    {}, optional={"_id": WORDS, "id": st.integers(0, 3), "t": NUMBERS, "u": NUMBERS}
)
LISTS = (
    st.lists(WORDS, max_size=4, unique=True)
    | st.lists(NUMBERS, max_size=4)
    | st.lists(RECORDS, max_size=3)
    | st.lists(ELEMENTS, max_size=3)
)
MEMBERS = st.sampled_from(["k", "l", "m", "n"])


def values(depth: int = 1) -> st.SearchStrategy[JSON]:
    """A member's value."""
    plain = NUMBERS | TEXTS | LISTS
    return plain | st.dictionaries(MEMBERS, values(depth - 1), max_size=2) if depth else plain


def documents() -> st.SearchStrategy[dict[str, JSON]]:
    """A document's fields."""
    return st.dictionaries(MEMBERS, values(), min_size=1, max_size=3)


@st.composite
def edited(draw: st.DrawFn, document: dict[str, JSON]) -> dict[str, JSON]:
    """A document after one to three edits."""
    made: Any = document
    for _ in range(draw(st.integers(1, 3))):
        made = _edited(draw, made)
    return made if type(made) is dict else document


def _edited(draw: st.DrawFn, value: Any) -> Any:
    if type(value) is dict and value:
        name = draw(st.sampled_from([*value, "k", "new"]))
        if name not in value:
            return {**value, name: draw(values(0))}
        if draw(st.integers(0, 3)) == 0:
            return {key: member for key, member in value.items() if key != name}
        return {**value, name: _edited(draw, value[name])}
    if type(value) is list and value:
        place = draw(st.integers(0, len(value) - 1))
        match draw(st.sampled_from(["edit", "remove", "move", "insert"])):
            case "edit":
                return [*value[:place], _edited(draw, value[place]), *value[place + 1 :]]
            case "remove":
                return [*value[:place], *value[place + 1 :]]
            case "move":
                rest = [*value[:place], *value[place + 1 :]]
                to = draw(st.integers(0, len(rest)))
                return [*rest[:to], value[place], *rest[to:]]
        new = draw(WORDS if type(value[0]) is str else RECORDS | ELEMENTS | NUMBERS)
        return [*value[:place], new, *value[place:]]
    if type(value) is str and "\n" in value:
        lines = value.split("\n")
        place = draw(st.integers(0, len(lines) - 1))
        return "\n".join([*lines[:place], draw(WORDS) + lines[place], *lines[place + 1 :]])
    return draw(values(0))
