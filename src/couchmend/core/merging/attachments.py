"""Attachments in a merge: by name and digest, three-way like fields.

A version's body has them as `_attachments`, each with what is the same wherever the content is
the same: `content_type` and `digest`.  Which revision a stub belongs to, and in what form
it was read, says nothing about the content.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from couchmend.core.document import JSON, Doc, body_of
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.sides import OpenPaths, Side
from couchmend.core.values import ABSENT, same
from couchmend.errors import DocumentInvalid

MEMBER = "_attachments"
DEFAULT_TYPE = "application/octet-stream"
KEEP_BOTH = "keep-both"
_SHOWN_DIGITS = 4


def version_body(doc: Mapping[str, JSON]) -> Doc:
    """A document's fields and attachments, as they take part in a merge.

    Raises:
        DocumentInvalid: a reserved member that CouchDB does not know, or an attachment that
            cannot be told from another: neither a digest nor its content is there.
    """
    body = body_of(doc)
    entries = doc.get(MEMBER)
    if entries:
        body[MEMBER] = content(entries)
    return body


def content(entries: JSON) -> Doc:
    """The attachments as they are compared, sorted by name."""
    if not isinstance(entries, Mapping) or not all(
        isinstance(name, str) and isinstance(entry, Mapping) for name, entry in entries.items()
    ):
        raise DocumentInvalid(f"{MEMBER} must be an object of objects")
    return {name: _content(name, entries[name]) for name in sorted(entries)}


def arranged(body: JSON) -> JSON:
    """A body with its attachments last and sorted by name, and without the member where there
    are none, as `version_body` has them."""
    if type(body) is not dict or type(body.get(MEMBER)) is not dict:
        return body
    files = body[MEMBER]
    fields = {name: value for name, value in body.items() if name != MEMBER}
    return {**fields, MEMBER: {name: files[name] for name in sorted(files)}} if files else fields


def _content(name: str, entry: Mapping[str, JSON]) -> Doc:
    digest, data = entry.get("digest"), entry.get("data")
    if digest is None and isinstance(data, str | bytes):
        plain = _decoded(name, data) if isinstance(data, str) else data
        md5 = hashlib.md5(plain, usedforsecurity=False).digest()
        digest = f"md5-{base64.b64encode(md5).decode()}"
    if not isinstance(digest, str):
        raise DocumentInvalid(
            f"attachment {name} has no digest", hint="read the document with its stubs"
        )
    return {"content_type": entry.get("content_type", DEFAULT_TYPE), "digest": digest}


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError as problem:
        raise DocumentInvalid(f"the data of attachment {name} is not base64") from problem


def keep_both(side: Side, decisions: Sequence[Decision]) -> tuple[Side, list[Decision]]:
    """Where several contents compete for one name, give all but the first names of their own:
    `photo.jpg` and `photo (conflict 2-9f3a).jpg`.

    What one version changed and another removed stays open.
    """
    kept: list[Decision] = []
    value, opened, supply = side.value, dict(side.open), side.supply
    for decision in decisions:
        rivals = opened.get(decision.place, ())
        if not _is_about_content(decision) or any(rival.value is ABSENT for rival in rivals):
            kept.append(decision)
            continue
        del opened[decision.place]
        files = dict(value[MEMBER])
        reason = "the contents differ, and the policy keeps both"
        kept.append(replace(decision, kind="current", resolver=KEEP_BOTH, reason=reason))
        for rival in rivals:
            if same(rival.value, decision.taken):
                continue
            name, is_there = _other_name(
                str(decision.path[1]), rival.version.name, rival.value, files
            )
            if is_there:
                continue
            files[name] = rival.value
            supply = supply.with_version((MEMBER, name), rival.version)
            kept.append(
                Decision(
                    (MEMBER, name),
                    "other",
                    {rival.version.name: rival.value},
                    ABSENT,
                    rival.value,
                    (rival.version.name,),
                    KEEP_BOTH,
                    f"the content that {rival.version.label} has under the name {decision.path[1]}",
                )
            )
        value = {**value, MEMBER: files}
    return replace(side, value=value, open=OpenPaths(opened), supply=supply), kept


def _is_about_content(decision: Decision) -> bool:
    return decision.unresolved and len(decision.path) == 2 and decision.path[0] == MEMBER


def _other_name(name: str, rev: str, content: JSON, files: Mapping[str, JSON]) -> tuple[str, bool]:
    """A name for another version's content, with as much of its revision as tells it apart; and
    whether the content is there under it already."""
    stem, dot, ending = name.rpartition(".")
    if not stem:
        stem, dot, ending = name, "", ""
    dash = rev.find("-")
    shortest = len(rev) if dash < 0 else dash + 1 + _SHOWN_DIGITS
    whole = (f"{rev} {number}" for number in itertools.count(2))
    for shown in itertools.chain((rev[:end] for end in range(shortest, len(rev) + 1)), whole):
        other = f"{stem} (conflict {shown}){dot}{ending}"
        if other not in files or same(files[other], content):
            return other, other in files
    raise AssertionError("one of all names is free")
