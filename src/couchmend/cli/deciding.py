"""What a person decided, as it was typed: choices by path, or a whole body."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from couchmend.core.document import Doc, loads
from couchmend.core.plans.choices import Arrange, Choice, Choices, Put, Take, path_of
from couchmend.core.plans.plan import strategy_named
from couchmend.core.values import ABSENT
from couchmend.errors import BadRequest, UsageError

SUGGESTED = "suggested"
MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Decided:
    """How a conflict is to be resolved; see `couchmend.core.plans.plan`."""

    strategy: str
    revision: str
    choices: Choices
    body: Doc | None


def decided(
    strategy: str | None,
    *,
    revision: str | None = None,
    set: Sequence[str] = (),
    take: Sequence[str] = (),
    arrange: Sequence[str] = (),
    remove: Sequence[str] = (),
    body: Path | None = None,
) -> Decided:
    """What the options of a command say.

    strategy: None for what is suggested or, where something was chosen, `manual`.
    set: `path=value`; take, arrange: `path=version`; remove: paths.
    body: a file with the whole document; `-` is standard input.

    Raises:
        UsageError: they are wrong, or contradict each other.
    """
    choices: dict[str, Choice] = {}
    for text in set:
        _add(choices, *_halves(text, "--set", "value"), kind="set")
    for text in take:
        _add(choices, *_halves(text, "--take", "version"), kind="take")
    for text in arrange:
        _add(choices, *_halves(text, "--arrange", "version"), kind="arrange")
    for text in remove:
        _add(choices, text, "", kind="remove")
    by_hand = bool(choices) or body is not None
    name = strategy or (MANUAL if by_hand else SUGGESTED)
    name = name if name == SUGGESTED else strategy_named(name)
    if by_hand and name != MANUAL:
        raise UsageError(
            f"the strategy {name} takes no choices", hint="leave --strategy out, or say manual"
        )
    if revision is not None and name != "keep-other":
        raise UsageError("--revision belongs to keep-other", hint="--strategy keep-other")
    whole = None if body is None else _body(body)
    if whole is not None and choices:
        raise UsageError("choices and a whole body exclude each other", hint="give one of them")
    return Decided(name, revision or "", choices, whole)


def _halves(text: str, option: str, what: str) -> tuple[str, str]:
    """A path and what is said of it.  The path ends at the first `=` that is not in brackets or
    quotes."""
    depth, quoted = 0, False
    for place, character in enumerate(text):
        if character == '"' and (place == 0 or text[place - 1] != "\\"):
            quoted = not quoted
        elif not quoted and character in "[]":
            depth += 1 if character == "[" else -1
        elif not quoted and not depth and character == "=" and place:
            return text[:place], text[place + 1 :]
    raise UsageError(f"{option} {text!r} lacks its {what}", hint=f"write {option} path={what}")


def _add(choices: dict[str, Choice], path: str, said: str, *, kind: str) -> None:
    path_of(path)  # says what is wrong with it
    if path in choices:
        raise UsageError(f"{path!r} is decided twice", hint="say one thing of it")
    match kind:
        case "set":
            choices[path] = Put(_value(said))
        case "take":
            choices[path] = Take(said)
        case "arrange":
            choices[path] = Arrange(said)
        case _:
            choices[path] = Put(ABSENT)


def _value(text: str) -> object:
    """A value as it was typed: JSON, or else the text itself."""
    try:
        return loads(text.encode())
    except (BadRequest, UnicodeEncodeError):
        return text


def _body(file: Path) -> Doc:
    try:
        text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as problem:
        raise UsageError(f"it cannot be read: {problem.strerror}", target=str(file)) from problem
    try:
        found = loads(text)
    except BadRequest as problem:
        raise UsageError("it is not JSON", target=str(file), hint=problem.hint) from problem
    if type(found) is not dict:
        raise UsageError("a document is an object", target=str(file))
    return found
