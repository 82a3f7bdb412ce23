"""`couchmend merge`: three JSON files, as a person or as git asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson
from couchmend.errors import BadRequest, UsageError

if TYPE_CHECKING:
    from couchmend.core.document import JSON
    from couchmend.core.layout import Layout
    from couchmend.core.merging.merge import Merge
    from couchmend.core.policy.policy import Policy


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
    as_json: AsJson = False,
) -> None:
    """Merge two versions of a JSON file over the one that both come from.

    Exits with 1 when something is left to decide: there the current version's value stands.
    The result keeps the layout of the current version.
    """
    from couchmend.cli import merge_table

    if named is not None and policy is None:
        raise UsageError("--policy-name needs a file", hint="name it with --policy")
    texts = {path: _read(path) for path in (base, current, other)}
    mine = _layout(texts[current], current)
    merged = _merged(_before(texts[base], base), mine, _layout(texts[other], other), policy, named)
    text = mine.write(merged.value)
    if into is not None:
        _write(into, text)
    if as_json:
        output.line(_as_json(merged))
    elif into is None:
        output.raw(text)
    merge_table.show(merged, everything=into is None and not as_json, name=str(into or current))
    if merged.unresolved:
        raise typer.Exit(1)


def _merged(
    base: JSON, mine: Layout, theirs: Layout, file: Path | None, named: str | None
) -> Merge:
    from couchmend.core.merging.merge import merge_json

    if file is None:
        return merge_json(base, mine.value, theirs.value)
    return merge_json(base, mine.value, theirs.value, _policy(file, named, mine.value))


def _policy(file: Path, named: str | None, document: JSON) -> Policy:
    from couchmend import policies

    found = policies.load(file)
    if named is not None:
        return found.named(named)
    return found.choose(document) if isinstance(document, dict) else found.default


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as problem:
        raise UsageError(
            f"it cannot be read: {problem.strerror}", operation="merge", target=str(file)
        ) from problem
    except UnicodeDecodeError as problem:
        raise UsageError("it is not UTF-8", operation="merge", target=str(file)) from problem


def _layout(text: str, file: Path) -> Layout:
    from couchmend.core.layout import Layout

    try:
        return Layout(text)
    except BadRequest as problem:
        problem.operation, problem.target = "merge", str(file)
        raise


def _before(text: str, file: Path) -> JSON:
    """The base's value; for git, a file that both sides added has an empty one."""
    from couchmend.core.values import ABSENT

    return _layout(text, file).value if text.strip() else ABSENT


def _write(file: Path, text: str) -> None:
    """Replace a file as a whole or not at all."""
    beside = file.with_name(f".{file.name}.couchmend")
    try:
        beside.write_bytes(text.encode())
        if file.exists():
            beside.chmod(file.stat().st_mode & 0o777)
        beside.replace(file)
    except OSError as problem:
        beside.unlink(missing_ok=True)
        raise UsageError(
            f"it cannot be written: {problem.strerror}", operation="merge", target=str(file)
        ) from problem


def _as_json(merged: Merge) -> JSON:
    from couchmend.core.merging.serial import to_json

    return {
        "value": merged.value,
        "unresolved": len(merged.unresolved),
        "decisions": to_json(merged.decisions),
    }
