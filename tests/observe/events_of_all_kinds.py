"""Events of every kind, made by Hypothesis: every field that holds words holds one of its own."""

from __future__ import annotations

import dataclasses
import typing

from hypothesis import strategies as st

from couchmend import events
from couchmend.events import Event, OfDocument

KINDS: tuple[type[Event], ...] = tuple(
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind not in (Event, OfDocument)
)

_OF = {
    int: st.integers(0, 2**52),
    int | None: st.none() | st.integers(0, 2**52),
    str: st.text(max_size=8),
    bool: st.booleans(),
    tuple[str, ...]: st.lists(st.text(max_size=8), max_size=3).map(tuple),
    tuple[tuple[str, int], ...]: st.lists(
        st.tuples(st.sampled_from(["critical", "high", "medium", "low"]), st.integers(0, 99)),
        max_size=4,
        unique_by=lambda pair: pair[0],
    ).map(tuple),
}


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Events of a kind."""
    hints = typing.get_type_hints(kind)
    return st.builds(
        kind, **{field.name: _OF[hints[field.name]] for field in dataclasses.fields(kind)}
    )


EVENTS = st.sampled_from(KINDS).flatmap(events_of)
