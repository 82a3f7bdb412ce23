"""What there is to say of one document: why it is, or is not, in conflict and resolved."""

from __future__ import annotations

from collections.abc import Iterator

from couchmend.core.conflicts.deletions import concurrent_deletions
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.merging.telling import are, labels
from couchmend.core.revtree import Rev
from couchmend.engine.doctor.diagnosis import DocumentDiagnosis, Fact


def about_document(found: DocumentDiagnosis, database: str, *, is_known: bool) -> Iterator[Fact]:
    """What there is to say of a document, in sentences.

    database: what commands call its database.
    is_known: whether a sweep has seen the database.
    """
    doc = found.doc
    if doc is None:
        yield Fact(
            "problem",
            "there is no such document in the database",
            f"couchmend archive show {database} {found.id}"
            if found.conflict or found.resolutions
            else "check its id",
        )
        return
    yield from _about_conflict(found, doc, database)
    if doc.unreadable:
        yield Fact(
            "problem",
            f"{labels(doc.unreadable)} cannot be read: the database lists what it does not"
            " have; it is left alone",
            "restore it from a backup or another replica, or purge it",
        )
    yield from _about_dead_branches(found)
    cut = [leaf.rev for leaf in doc.tree.leaves() if _is_cut(doc, leaf.rev)]
    if cut:
        yield Fact(
            "notice",
            f"the beginning of {labels(cut)} {are(cut, 'forgotten')}: the database keeps no"
            " longer histories, so that a common version may be missing",
            "raise _revs_limit, if conflicts come without a common version",
        )
    if not found.seen and is_known:
        yield Fact(
            "notice",
            "no sweep has seen the document's last change",
            f"couchmend sweep {database}",
        )


def _about_conflict(
    found: DocumentDiagnosis, doc: ConflictedDocument, database: str
) -> Iterator[Fact]:
    if found.assessment is None:
        yield from _why_no_conflict(found, doc, database)
        return
    live = len(doc.live) + len(doc.unreadable)
    versions = f"{live} versions of it live"
    if found.hidden:
        versions = "one version lives, and a deletion stands beside it, which _conflicts hides"
    yield Fact("notice", f"it is in conflict: {versions}")
    one = found.conflict
    if one is None:
        told = "it is not in the queue yet"
        yield Fact("notice", told, f"couchmend sweep {database}")
        return
    show = f"couchmend conflicts show {one.id}"
    yield Fact("ok", f"it is in the queue as conflict {one.id}, {one.state}", show)
    if one.last_error:
        yield Fact("problem", f"resolving it failed {one.attempts} times: {one.last_error}")
    why = [check.sentence for check in found.assessment.checks if not check.passed]
    if why:
        told = f"it is not resolved by itself: {'; '.join(why)}"
        yield Fact("notice", told, f"couchmend conflicts explain {one.id}")


def _why_no_conflict(
    found: DocumentDiagnosis, doc: ConflictedDocument, database: str
) -> Iterator[Fact]:
    leaves = doc.tree.leaves()
    if found.open or found.hidden:
        aside = [rev for rev in concurrent_deletions(doc.tree) if rev in doc.acknowledged]
        if aside:
            told = f"the deletion {labels(aside)} was set aside: the edit is kept"
            yield Fact("ok", f"it is not in conflict any more: {told}")
        else:
            yield Fact("problem", "its versions cannot be examined", "look at couchmend -vv")
    elif all(leaf.deleted for leaf in leaves):
        yield Fact("ok", "it is not in conflict: it is deleted, on every branch")
    elif len(leaves) == 1:
        yield Fact("ok", "it is not in conflict: it has a single version")
    else:
        dead = len(leaves) - 1
        branches = "another branch ends" if dead == 1 else f"{dead} other branches end"
        yield Fact("ok", f"it is not in conflict: one version lives, {branches} deleted")
    if found.conflict is not None:
        yield Fact(
            "notice",
            f"the queue still has it, as conflict {found.conflict.id}",
            f"couchmend sweep {database}",
        )
    for one in found.resolutions[:1]:
        told = f"resolution {one.id} ended it, by {one.strategy} and {one.by}"
        if one.undone_by is None and one.state == "done" and one.kind == "resolve":
            yield Fact("ok", told, f"couchmend undo {one.id}")


def _about_dead_branches(found: DocumentDiagnosis) -> Iterator[Fact]:
    if found.possible:
        yield Fact(
            "notice",
            f"{labels(found.possible)} may be {_deletions(found.possible)} by a person, or"
            " what a resolution left: nobody can tell",
            'dead_branches = "report" in the policy has them reported',
        )


def _deletions(revs: tuple[Rev, ...]) -> str:
    return "a deletion" if len(revs) == 1 else "deletions"


def _is_cut(doc: ConflictedDocument, leaf: Rev) -> bool:
    """Whether the first revisions of a branch are not known."""
    return doc.tree.chain(leaf)[-1].generation > 1
