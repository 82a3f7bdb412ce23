"""Query parameters, with CouchDB's words for those that make no sense.

Parameters that CouchDB does not know are ignored, as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from couchmend.core.document import JSON, loads
from couchmend.core.erlang_text import erlang_text
from couchmend.errors import BadRequest
from couchmend.replica.base import AllDocsQuery, Include

Query: TypeAlias = Mapping[str, str]

_DOCUMENT_FLAGS: dict[str, tuple[str, ...]] = {
    "attachments": ("attachments",),
    "att_encoding_info": ("att_encoding_info",),
    "conflicts": ("conflicts",),
    "deleted_conflicts": ("deleted_conflicts",),
    "local_seq": ("local_seq",),
    "meta": ("revs_info", "conflicts", "deleted_conflicts"),
    "revs": ("revs",),
    "revs_info": ("revs_info",),
}


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """What a request about one document asks for (https://docs.couchdb.org/en/stable/api/
    document/common.html).  `open_revs` is None, `"all"`, or revisions."""

    include: Include = field(default_factory=lambda: Include())
    rev: str | None = None
    open_revs: Literal["all"] | list[str] | None = None
    latest: bool = False
    deleted: bool = False
    new_edits: bool = True


def document_options(query: Query) -> DocumentOptions:
    """Read them; raises `BadRequest` for lists of revisions that are none."""
    if not query:
        return DocumentOptions()
    include = include_of(query)
    since = query.get("atts_since")
    if since is not None:
        include["attachments"] = True
        include["atts_since"] = revisions(loads(since.encode()))
    wanted: Literal["all"] | list[str] | None = None
    open_revs = query.get("open_revs")
    if open_revs == "all":
        wanted = "all"
    elif open_revs is not None:
        wanted = revisions(loads(open_revs.encode())) or None
    return DocumentOptions(
        include=include,
        rev=query.get("rev"),
        open_revs=wanted,
        latest=query.get("latest") == "true",
        deleted=query.get("deleted") == "true",
        new_edits=query.get("new_edits") != "false",
    )


def include_of(query: Query) -> Include:
    """The flags that add something to each document."""
    include = Include()
    for name, members in _DOCUMENT_FLAGS.items():
        if query.get(name) == "true":
            for member in members:
                include[member] = True  # type: ignore[literal-required]
    return include


def revisions(value: JSON) -> list[str]:
    """A list of revisions out of JSON; raises `BadRequest`."""
    if type(value) is not list:
        raise BadRequest("Invalid list of revisions")
    return [revision(item) for item in value]


def revision(value: JSON) -> str:
    """A revision out of JSON; raises `BadRequest`."""
    if type(value) is not str or not _looks_like_revision(value):
        raise BadRequest("Invalid rev format")
    return value


def _looks_like_revision(text: str) -> bool:
    generation, dash, _ = text.partition("-")
    return bool(dash) and generation.isascii() and generation.isdecimal()


def json_parameter(query: Query, name: str) -> JSON:
    """A parameter that holds JSON, or None; raises `BadRequest`."""
    text = query.get(name)
    return None if text is None else loads(text.encode())


def whole_number(query: Query, name: str, wrong: str) -> int | None:
    """A parameter that is an integer of at least 0, or None; else `BadRequest(wrong)`."""
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadRequest(wrong)
    return int(text)


# --- _all_docs and its like


@dataclass(frozen=True, slots=True)
class Listing:
    """A query of `_all_docs`, `_design_docs` or `_local_docs`."""

    query: AllDocsQuery
    keys: list[JSON] | None
    nothing: bool
    """No id can lie between the bounds."""
    update_seq: bool


def listing(given: Mapping[str, JSON], *, design: bool | None = None) -> Listing:
    """Read one; values are JSON, as `decoded` makes them of a query string.

    Raises:
        BadRequest: `query_parse_error`, as CouchDB has it.
    """
    if _boolean(given.get("reduce", False)):
        raise _parse_error("Reduce is invalid for map-only views.")
    if _boolean(given.get("group", False)) or "group_level" in given:
        raise _parse_error("Invalid use of grouping on a map view.")
    descending = _boolean(given.get("descending", False))
    start, end, keys = _bounds(given)
    include = Include()
    for name in ("conflicts", "attachments", "att_encoding_info"):
        if _boolean(given.get(name, False)):
            include[name] = True
    high = start if descending else end
    query = AllDocsQuery(
        startkey=start if type(start) is str else None,
        endkey=end if type(end) is str else None,
        inclusive_end=_boolean(given.get("inclusive_end", True)),
        descending=descending,
        limit=_count(given["limit"]) if "limit" in given else None,
        skip=_count(given.get("skip", 0)),
        include_docs=_boolean(given.get("include_docs", False)),
        design=design,
        include=include,
    )
    # To CouchDB, everything that is not a string lies before all ids.
    nothing = type(high) is not str and high is not _ABSENT
    return Listing(query, keys, nothing, _boolean(given.get("update_seq", False)))


class _Absent:
    """No bound."""


_ABSENT = _Absent()


def _bounds(given: Mapping[str, JSON]) -> tuple[JSON, JSON, list[JSON] | None]:
    start: JSON = _ABSENT
    end: JSON = _ABSENT
    for name, value in given.items():  # the last word counts
        match name:
            case "startkey" | "start_key":
                start = value
            case "endkey" | "end_key":
                end = value
            case "key":
                start = end = value
    keys = given.get("keys")
    if keys is None:
        return start, end, None
    if type(keys) is not list:
        raise BadRequest("`keys` parameter must be an array.")
    if start is not _ABSENT or end is not _ABSENT:
        raise _parse_error("`keys` is incompatible with `key`, `start_key` and `end_key`")
    return start, end, keys


def decoded(query: Query) -> dict[str, JSON]:
    """A query string's parameters as JSON; raises `BadRequest`."""
    given: dict[str, JSON] = dict(query)
    for name in ("key", "keys", "startkey", "start_key", "endkey", "end_key"):
        if name in given:
            given[name] = loads(given[name].encode())
    for name in ("limit", "skip"):
        if name in given:
            given[name] = _count_of_text(given[name])
    return given


def is_within(name: str, listed: Listing) -> bool:
    """Whether a name lies between the bounds of a query."""
    query = listed.query
    low, high = query.startkey, query.endkey
    if query.descending:
        low, high = high, low
    if listed.nothing or (low is not None and name < low) or (high is not None and name > high):
        return False
    return query.inclusive_end or name != query.endkey


def _boolean(value: JSON) -> bool:
    if type(value) is bool:
        return value
    if type(value) is str and value.lower() in ("true", "false"):
        return value.lower() == "true"
    shown = f'"{value}"' if type(value) is str else erlang_text(value)
    raise _parse_error(f"Invalid boolean parameter: {shown}")


def _count_of_text(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
        raise _parse_error(f'Invalid value for integer: "{text}"')
    if text.startswith("-") and digits.strip("0"):
        raise _parse_error(f'Invalid value for positive integer: "{text}"')
    return int(digits)


def _count(value: JSON) -> int:
    if type(value) is not int or value >= 1 << 63:
        raise _parse_error(f"Invalid value for integer: {erlang_text(value, readable=True)}")
    if value < 0:
        raise _parse_error(f"Invalid value for positive integer: {value}")
    return value


def _parse_error(reason: str) -> BadRequest:
    return BadRequest(reason, error="query_parse_error")
