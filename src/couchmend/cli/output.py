"""What programs read on stdout, and complaints on stderr; no more than text."""

from __future__ import annotations

import json
import sys

from couchmend.core.document import JSON, dumps


def line(value: JSON) -> None:
    """One JSON value on a line of its own."""
    sys.stdout.write(dumps(value).decode() + "\n")


def pretty(value: JSON) -> None:
    """One JSON value as a person reads it."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def value(value: JSON, *, as_line: bool) -> None:
    """One JSON value, on a line for programs or laid out for people."""
    if as_line:
        line(value)
    else:
        pretty(value)


def text(sentence: str) -> None:
    """A sentence for a person."""
    sys.stdout.write(plain(sentence) + "\n")


def raw(text: str) -> None:
    """A file's content, letter by letter."""
    sys.stdout.write(text)


def flush() -> None:
    """Let whoever reads have what was written."""
    sys.stdout.flush()


def complain(sentence: str) -> None:
    """What went wrong, in one line."""
    sys.stderr.write(f"couchmend: {plain(sentence)}\n")


def plain(words: str) -> str:
    """Text that a terminal only shows: documents may hold what moves its cursor."""
    if words.isprintable():
        return words
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in words)
