"""The policies that a study leads to, one for each type of document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from couchmend.core.document import JSON
from couchmend.core.policy.metadata import Checksum, ChecksumForm, verify
from couchmend.core.policy.policy import IDENTITY_KEYS
from couchmend.engine.studying.fields import DIGESTS, Field, Fields
from couchmend.engine.studying.judging import EVIDENCE, device, judged, timestamp
from couchmend.engine.studying.study import LEAST_OF_A_TYPE, OTHERS, Study
from couchmend.engine.studying.suggestion import (
    SuggestedPolicy,
    Suggestion,
    pattern,
    share,
    times,
)

_FORMS: tuple[ChecksumForm, ...] = ("canonical-json", "json", "concatenated")
_SCHEMA_NAME = re.compile(r"schema_?version|^_?schema$|model_?version|doc_?version", re.IGNORECASE)


def suggest(made: Study) -> list[SuggestedPolicy]:
    """The policies that a study leads to, the most frequent type first, the default one last.

    Types that hardly any document is of have none.
    """
    named = [(type, fields) for type, fields in made.types.items() if type != OTHERS]
    named.sort(key=lambda item: -item[1].documents)
    taken: set[str] = set()
    policies = []
    for type, fields in named:
        if fields.documents >= LEAST_OF_A_TYPE:
            policies.append(_policy(_name(type, taken), type, fields, made))
    others = made.types.get(OTHERS)
    if others is not None:
        policies.append(_policy("default", OTHERS, others, made))
    return policies


def _name(type: str, taken: set[str]) -> str:
    """A name for a policy: the type, as far as it is a word."""
    word = re.sub(r"[^\w-]+", "-", type, flags=re.ASCII).strip("-_") or "documents"
    word = "default-type" if word == "default" else word
    name, number = word, 2
    while name in taken:
        name, number = f"{word}-{number}", number + 1
    taken.add(name)
    return name


def _policy(name: str, type: str, fields: Fields, made: Study) -> SuggestedPolicy:
    match: dict[str, JSON] | None = None
    ids: tuple[str, ...] = ()
    if type != OTHERS and made.discriminator is not None:
        if made.discriminator.member is not None:
            match = {made.discriminator.member: type}
        else:
            ids = (f"{type}*",)
    told = f"{share(fields.documents, made.read, _documents(made))} {_are(type, made)}."
    about = [told[0].upper() + told[1:]]
    about.append(
        f"{times(fields.edits, 'edit')} and {times(fields.conflicts, 'conflict')} were looked at"
        + (f", {fields.with_base:,} over the version they come from." if fields.conflicts else ".")
    )
    if fields.left_out:
        about.append("There are more fields than were looked at.")
    return SuggestedPolicy(
        name,
        match,
        ids,
        tuple(about),
        tuple(_suggestions(type, fields, made)),
        _collisions(fields),
        fields.documents,
        fields.conflicts,
    )


def _documents(made: Study) -> str:
    return "document that was read" if made.read == 1 else "documents that were read"


def _are(type: str, made: Study) -> str:
    if type == OTHERS:
        return "are of no type" if made.discriminator is not None else "look alike"
    assert made.discriminator is not None
    where = made.discriminator.member
    return f"have this {where}" if where is not None else f"have an id that begins with {type}"


def _collisions(fields: Fields) -> dict[str, tuple[int, int]]:
    found = [
        (pattern(path), (one.collisions.contested, one.collisions.open))
        for path, one in fields.each()
        if one.collisions.contested and path[0] and pattern(path)
    ]
    return dict(sorted(found, key=lambda item: (-item[1][0], item[0])))


def _suggestions(type: str, fields: Fields, made: Study) -> Iterator[Suggestion]:
    usable = [(path, one) for path, one in fields.each() if all(path)]
    about = [*_by(timestamp, usable), *_by(device, usable)]
    for key in ("timestamp_fields", "device_fields"):
        yield from _of_several([one for one in about if one.key == (key,)])
    yield from _checksum(type, usable, made)
    yield from _schema_version(usable)
    taken = {one.value[0] for one in about if one.certain}
    rules = [
        found for path, one in usable if pattern(path) not in taken for found in judged(path, one)
    ]
    yield from _identities([one for one in rules if one.key == ("identity_keys",)])
    yield from (one for one in rules if one.key != ("identity_keys",))


def _by(
    judge: Callable[[tuple[str, ...], Field], Suggestion | None],
    fields: Sequence[tuple[tuple[str, ...], Field]],
) -> list[Suggestion]:
    return [found for path, one in fields if (found := judge(path, one)) is not None]


def _of_several(found: Sequence[Suggestion]) -> Iterator[Suggestion]:
    """Those for one key as one line: what is certain, the most frequent first; the rest apart."""
    certain = sorted(
        (one for one in found if one.certain), key=lambda one: -int(one.figures["values"])
    )
    if certain:
        value = [name for one in certain for name in one.value]
        reason = "; ".join(f"{one.value[0]}: {one.reason}" for one in certain)
        figures = {str(one.value[0]): dict(one.figures) for one in certain}
        yield Suggestion(certain[0].key, value, True, reason, figures)
    yield from (one for one in found if not one.certain)


def _identities(found: Sequence[Suggestion]) -> Iterator[Suggestion]:
    """The members by which elements are known, beside the usual ones."""
    certain = [one for one in found if one.certain]
    if certain:
        names = list(dict.fromkeys(str(one.value[0]) for one in certain))
        reason = "; ".join(one.reason for one in certain)
        figures = {str(one.value[0]): dict(one.figures) for one in certain}
        yield Suggestion(("identity_keys",), [*IDENTITY_KEYS, *names], True, reason, figures)
    for one in found:
        if not one.certain:
            yield Suggestion(one.key, [*IDENTITY_KEYS, *one.value], False, one.reason, one.figures)


def _checksum(
    type: str, usable: list[tuple[tuple[str, ...], Field]], made: Study
) -> list[Suggestion]:
    """A field with digests: certain where it is one over the rest, made in a way we can make."""
    docs = [body for _, body in made.bodies.get(type, [])]
    found = []
    for path, one in usable:
        lengths = one.texts.digests
        if one.kind != "string" or not lengths or lengths.total() < 0.95 * one.said or one.said < 2:
            continue
        length = lengths.most_common(1)[0][0]
        given: dict[str, JSON] = {"field": pattern(path), "algorithm": DIGESTS[length]}
        for form in _FORMS:
            outcomes = [verify(body, Checksum(path, DIGESTS[length], form=form)) for body in docs]
            said = [outcome for outcome in outcomes if outcome is not None]
            right = sum(said)
            if said and right >= 0.8 * len(said):
                why = f"it is that of {share(right, len(said), 'documents')} that were tried"
                figures = {"tried": len(said), "right": right}
                given = {**given, "form": form}
                return [Suggestion(("checksum",), given, len(said) >= 2, why, figures)]
        if re.search(r"sum|hash|digest|md5|sha|etag", path[-1], re.IGNORECASE):
            looks = share(lengths.total(), one.said, "values")
            why = f"{looks} look like {DIGESTS[length]}; over what is not known"
            found.append(Suggestion(("checksum",), given, False, why, {"values": one.said}))
    return found[:1]


def _schema_version(usable: list[tuple[tuple[str, ...], Field]]) -> Iterator[Suggestion]:
    for path, one in usable:
        if len(path) == 1 and _SCHEMA_NAME.search(path[0]) and one.kind in ("integer", "string"):
            if one.is_full or len(one.values) > 20:
                continue
            said = times(one.said, "document")
            why = f"its name is usual; {times(len(one.values), 'value')} in {said}"
            figures = {"values": one.said, "different": len(one.values)}
            certain = one.said >= EVIDENCE
            yield Suggestion(("schema_version_field",), pattern(path), certain, why, figures)
            return
