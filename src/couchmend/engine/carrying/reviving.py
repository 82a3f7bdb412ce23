"""Bringing back what is gone although nobody deleted it: a database lost a write that it had
confirmed, or two resolutions deleted each other's winner."""

from __future__ import annotations

from collections.abc import Mapping

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import Doc
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.plans.writes import PlanError, write_over
from couchmend.core.revtree import Rev
from couchmend.engine.carrying import archive as archiving
from couchmend.engine.carrying.reading import Present, present
from couchmend.engine.carrying.sending import document_of, send
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.work import Work
from couchmend.journal import archive
from couchmend.journal.contents import Content
from couchmend.replica.base import Refused


def revive(site: Site, work: Work, now: Present) -> None:
    """Write what was to live on over the tombstone that wins, as replication would: a database
    takes no edit of a document without a live leaf.

    Raises:
        EngineRefused: nothing may be written now; it is recovered later.
        ReplicaError: the database cannot be reached.
    """
    bodies, contents = _kept(site, work)
    body = work.plan.write.body if work.plan.write is not None else bodies.get(work.plan.winner)
    if body is None:
        work.unverified(f"{work.kept} is gone, and its body is not in the archive")
        return
    contents = _with_rest(site, work, body, bodies, contents)
    sources = {rev: _with_contents(rev, said, contents) for rev, said in bodies.items()}
    try:
        write = write_over(now.tree.winner().rev, body, sources, as_replicated=True)
    except PlanError as problem:
        work.unverified(f"{work.kept} is gone, and cannot be brought back: {problem.message}")
        return
    site.may_write()
    (row,) = send(site, [document_of(site, work.document, write, contents)], new_edits=False)
    if isinstance(row, Refused):
        work.refused(row.error, row.reason)
        return
    if present(site.replica, work.document).live_from(write.expected) is None:
        work.unverified(f"{work.kept} is gone, and could not be brought back")
        return
    work.written = write.expected
    work.resolved()


def _kept(site: Site, work: Work) -> tuple[dict[Rev, Doc], dict[tuple[Rev, str], Content]]:
    with site.journal.read() as tx:
        kept = archive.kept(tx, site.database.id, [work.document]).get(work.document, {})
        files = archive.attachments(tx, site.database.id, work.document)
    bodies = {rev: one.body for rev, one in kept.items() if one.body is not None}
    return bodies, {(one.rev, one.name): one.content for one in files}


def _with_rest(
    site: Site,
    work: Work,
    body: Doc,
    bodies: Mapping[Rev, Doc],
    contents: Mapping[tuple[Rev, str], Content],
) -> dict[tuple[Rev, str], Content]:
    """The contents, with what the winner alone had, which was not carried then: the database may
    have it yet."""
    winner = work.plan.winner
    had = bodies.get(winner, {}).get(MEMBER, {})
    wanted = [
        (winner, name)
        for name, entry in body.get(MEMBER, {}).items()
        if had.get(name) == entry and (winner, name) not in contents
    ]
    if not wanted:
        return dict(contents)
    doc = ConflictedDocument(
        site.database.name, work.document, present(site.replica, work.document).tree, bodies
    )
    fetched = archiving.fetch_these(site, doc, wanted, work.conflict)
    if not isinstance(fetched, archiving.Fetched):
        return dict(contents)
    with site.journal.write() as tx:
        archiving.attach(tx, site, work.document, fetched)
    return {**contents, **fetched.contents}


def _with_contents(rev: Rev, body: Doc, contents: Mapping[tuple[Rev, str], Content]) -> Doc:
    """A body with those of its attachments whose contents are kept."""
    files = {name: entry for name, entry in body.get(MEMBER, {}).items() if (rev, name) in contents}
    return {**body, MEMBER: files}
