"""Changes of what CouchDB answers, for the lie `Json`.

The rows of an answer are the list that it is, or the one that it has under the name that its
kind has it: `results`, `rows`, `docs`, `indexes`.
"""

from __future__ import annotations

from collections.abc import Callable

from couchmend.core.document import JSON

Change = Callable[[JSON], JSON]

_ROWS = ("results", "rows", "docs", "indexes")


def without_row(at: int) -> Change:
    """One row is missing."""
    return _of_rows(lambda rows: rows[:at] + rows[at:][1:])


def row_twice(at: int) -> Change:
    """One row comes twice."""
    return _of_rows(lambda rows: rows[: at + 1] + rows[at:])


def rows_swapped(one: int, other: int) -> Change:
    """Two rows have changed places."""

    def swapped(rows: list[JSON]) -> list[JSON]:
        rows = list(rows)
        rows[one], rows[other] = rows[other], rows[one]
        return rows

    return _of_rows(swapped)


def changed_row(at: int, change: Change) -> Change:
    """One row is changed."""
    return _of_rows(lambda rows: [*rows[:at], change(rows[at]), *rows[at + 1 :]])


def without(*names: str) -> Change:
    """Members of these names are missing, wherever they are."""

    def cut(value: JSON) -> JSON:
        match value:
            case dict():
                return {name: cut(v) for name, v in value.items() if name not in names}
            case list():
                return [cut(v) for v in value]
        return value

    return cut


def said(name: str, what: JSON) -> Change:
    """Members of this name have another value, wherever they are."""
    return having(name, lambda value: what)


def having(name: str, change: Change) -> Change:
    """Members of this name are changed, wherever they are."""

    def having_changed(value: JSON) -> JSON:
        match value:
            case dict():
                return {
                    key: change(v) if key == name else having_changed(v) for key, v in value.items()
                }
            case list():
                return [having_changed(v) for v in value]
        return value

    return having_changed


def exchanged(one: str, other: str) -> Change:
    """A string is another one wherever it is, as the name of a member, too: an id, a
    revision."""

    def exchange(value: JSON) -> JSON:
        match value:
            case str():
                return other if value == one else value
            case dict():
                return {exchange(name): exchange(v) for name, v in value.items()}
            case list():
                return [exchange(v) for v in value]
        return value

    return exchange


def _of_rows(change: Callable[[list[JSON]], list[JSON]]) -> Change:
    def changed(value: JSON) -> JSON:
        match value:
            case list() if value:
                return change(value)
            case dict():
                for name in _ROWS:
                    if isinstance(value.get(name), list) and value[name]:
                        return {**value, name: change(value[name])}
        return value

    return changed
