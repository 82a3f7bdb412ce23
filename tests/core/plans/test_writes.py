"""Where the contents of attachments come from."""

from __future__ import annotations

from couchmend.core.document import JSON, dumps, loads
from couchmend.core.plans.writes import Tombstone, Write, write_over
from couchmend.core.revtree import Rev

PARENT, LOSER = Rev(2, "b" * 32), Rev(2, "a" * 32)


def entry(digest: str) -> JSON:
    return {"content_type": "text/plain", "digest": digest}


def of(**entries: JSON) -> dict[str, JSON]:
    return {"_attachments": entries}


def test_a_content_comes_from_the_same_name_if_it_can() -> None:
    """The loser has it under two names."""
    sources = {PARENT: of(), LOSER: of(a=entry("md5-X"), b=entry("md5-X"))}
    (made,) = write_over(PARENT, of(b=entry("md5-X")), sources).attachments
    assert (made.source, made.source_name, made.carried) == (LOSER, "b", True)


def test_else_from_any_name() -> None:
    sources = {PARENT: of(a=entry("md5-X")), LOSER: of(b=entry("md5-Y"))}
    body = of(c=entry("md5-X"), d=entry("md5-Y"))
    found = [
        (made.name, made.source, made.source_name, made.carried)
        for made in write_over(PARENT, body, sources).attachments
    ]
    assert found == [("c", PARENT, "a", True), ("d", LOSER, "b", True)]


def test_what_the_parent_has_is_a_stub() -> None:
    sources = {LOSER: of(a=entry("md5-X")), PARENT: of(a=entry("md5-X"))}
    (made,) = write_over(PARENT, of(a=entry("md5-X")), sources).attachments
    assert (made.source, made.source_name, made.carried) == (PARENT, "a", False)


def test_it_can_be_read_again() -> None:
    sources = {PARENT: of(a=entry("md5-X")), LOSER: of(b=entry("md5-Y"))}
    body = {"x": 1, **of(a=entry("md5-X"), c=entry("md5-Y"))}
    for replicated in (False, True):
        made = write_over(PARENT, body, sources, as_replicated=replicated)
        assert Write.from_json(loads(dumps(made.to_json()))) == made
    tombstone = Tombstone.over(LOSER)
    assert Tombstone.from_json(loads(dumps(tombstone.to_json()))) == tombstone
