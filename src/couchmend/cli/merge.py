"""`couchmend merge`: three JSON files, as a person or as git asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson
from couchmend.errors import BadRequest, DocumentInvalid, TooLarge, UsageError

if TYPE_CHECKING:
    from couchmend.core.document import JSON
    from couchmend.core.layout import Layout
    from couchmend.core.merging.merge import Merge
    from couchmend.core.policy.policy import Policy
    from couchmend.core.values import Value


def merge(
    base: Annotated[
        Path,
        typer.Argument(
            metavar="BASE", help="What both versions come from; an empty file where nothing is."
        ),
    ],
    current: Annotated[Path, typer.Argument(metavar="CURRENT", help="One version: yours.")],
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="The other version: theirs.")],
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Rules for the merge: a configuration file with [policies.…]."
        ),
    ] = None,
    named: Annotated[
        str | None,
        typer.Option(
            "--policy-name",
            metavar="NAME",
            help="Which of its policies; without it the first that matches the document.",
        ),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write the result there and not to stdout."
        ),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="What messages call the file; for git, %P."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Merge two versions of a JSON file over their common ancestor.

    Exits with 1 when something is left to decide: there the current version's value stands.
    The result keeps the layout of the current version.
    """
    from couchmend.cli import merge_table

    if named is not None and policy is None:
        raise UsageError("--policy-name needs a file", hint="name it with --policy")
    names = {
        "the base": _name(base, path, "the base's"),
        "current": _name(current, path, "the current"),
        "other": _name(other, path, "the other"),
    }
    before = _before(_read(base, names["the base"]), names["the base"])
    mine = _layout(_read(current, names["current"]), names["current"])
    theirs = _layout(_read(other, names["other"]), names["other"])
    merged = _merged(before, mine.value, theirs.value, policy, named, names)
    text = mine.write(merged.value)
    if into is not None:
        _write(into, text)
    if as_json:
        output.line(_as_json(merged))
    elif into is None:
        output.raw(text)
    everything = into is None and not as_json
    merge_table.show(merged, everything=everything, name=path or str(into or current))
    if merged.unresolved:
        raise typer.Exit(1)


def _name(file: Path, path: str | None, version: str) -> str:
    """What messages call a version's file."""
    return str(file) if path is None else f"{path}, {version} version"


def _merged(
    base: Value,
    current: JSON,
    other: JSON,
    file: Path | None,
    named: str | None,
    names: Mapping[str, str],
) -> Merge:
    """The merge by the policies of a file.

    names: what messages call the versions, by the names that the merge has for them.
    """
    from couchmend.core.merging.merge import merge_json
    from couchmend.core.merging.three_way import MAX_DEPTH
    from couchmend.core.policy.policy import PLAIN

    policy = PLAIN if file is None else _policy(file, named, current)
    try:
        return merge_json(base, current, other, policy)
    except (DocumentInvalid, TooLarge) as problem:
        hint = f"up to {MAX_DEPTH} levels" if isinstance(problem, DocumentInvalid) else problem.hint
        target = names.get(problem.target, problem.target)
        raise UsageError(problem.message, operation="merge", target=target, hint=hint) from problem


def _policy(file: Path, named: str | None, document: JSON) -> Policy:
    from couchmend import policies

    found = policies.load(file)
    if named is not None:
        return found.named(named)
    if not any(one.name == "default" or one.match is not None or one.ids for one in found):
        there = ", ".join(one.name for one in found)
        raise UsageError(
            "it has no policy that is taken for any document",
            operation="policies",
            target=str(file),
            hint=f"name one with --policy-name: {there}" if there else "one is [policies.NAME]",
        )
    return found.choose(document) if isinstance(document, dict) else found.default


def _read(file: Path, name: str) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as problem:
        raise UsageError(
            f"it cannot be read: {problem.strerror}", operation="merge", target=name
        ) from problem
    except UnicodeDecodeError as problem:
        raise UsageError("it is not UTF-8", operation="merge", target=name) from problem


def _layout(text: str, name: str) -> Layout:
    from couchmend.core.layout import Layout

    if not text.strip():
        raise UsageError("it is empty, which is not JSON", operation="merge", target=name)
    try:
        return Layout(text)
    except BadRequest as problem:
        why = problem.__cause__
        message = f"it is not JSON: {why}" if isinstance(why, ValueError) else problem.message
        raise UsageError(message, operation="merge", target=name) from problem


def _before(text: str, name: str) -> Value:
    """The base's value; for git, a file that both sides added has an empty one."""
    from couchmend.core.values import ABSENT

    return _layout(text, name).value if text.strip() else ABSENT


def _write(file: Path, text: str) -> None:
    """Replace a file as a whole or not at all; what is no plain file, like a link or a pipe, is
    written to."""
    try:
        if file.is_symlink() or (file.exists() and not file.is_file()):
            file.write_bytes(text.encode())
        else:
            _replace(file, text)
    except OSError as problem:
        raise UsageError(
            f"it cannot be written: {problem.strerror}", operation="merge", target=str(file)
        ) from problem


def _replace(file: Path, text: str) -> None:
    beside = file.with_name(f".{file.name}.couchmend")
    try:
        beside.write_bytes(text.encode())
        if file.exists():
            beside.chmod(file.stat().st_mode & 0o777)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _as_json(merged: Merge) -> JSON:
    from couchmend.core.merging.serial import to_json

    return {
        "value": merged.value,
        "unresolved": len(merged.unresolved),
        "decisions": to_json(merged.decisions),
    }
