"""What a setting is: a field of a section or a table, with its type, default, help and bounds."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def setting(
    default: T,
    help: str,
    *,
    least: float | None = None,
    most: float | None = None,
    form: Callable[[str], str] | None = None,
    placed: Callable[[str, Path | None], str] | None = None,
    choices: tuple[str, ...] = (),
    or_one: bool = False,
    in_file_only: bool = False,
    example: object = None,
) -> T:
    """A field of a section or a table.

    `least` and `most` bound a number, `choices` are the texts that are allowed.  `form` puts
    a text, or each text of a list, into its one form, or raises `ValueError` saying what is
    allowed; `placed` does the same where a path in it counts from a folder, that of the file
    (None: where the process stands).  `or_one` lets a list of texts be written as a text.
    `in_file_only` keeps it from environment variables.  `example` is a value for the example
    of a configuration, where the default says nothing.
    """
    metadata = {
        "help": help,
        "least": least,
        "most": most,
        "form": form,
        "placed": placed,
        "choices": choices,
        "or_one": or_one,
        "in_file_only": in_file_only,
        "example": example,
    }
    made: T = field(default=default, metadata=metadata)
    return made


def required(
    help: str,
    *,
    form: Callable[[str], str] | None = None,
    placed: Callable[[str, Path | None], str] | None = None,
    example: object = None,
) -> str:
    """A text that every entry of a table must have."""
    missing = typing.cast(str, dataclasses.MISSING)
    made: str = setting(missing, help, form=form, placed=placed, example=example)
    return made


@functools.cache
def types_of(kind: type) -> Mapping[str, Any]:
    """The fields of a section and their types; that one may be left out is not part of it."""
    return {name: _given(hint) for name, hint in typing.get_type_hints(kind).items()}


def _given(hint: Any) -> Any:
    if typing.get_origin(hint) is not types.UnionType:
        return hint
    (given,) = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    return given


@functools.cache
def fields_of(kind: type) -> Mapping[str, Mapping[str, Any]]:
    """The fields of a section and what `setting` was told of them."""
    return {entry.name: entry.metadata for entry in dataclasses.fields(kind)}


_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
    tuple[str, ...]: "a list of texts",
}


def in_words(kind: type, name: str) -> str:
    """What is allowed for a setting, as a person says it."""
    about = fields_of(kind)[name]
    least, most = about["least"], about["most"]
    if about["choices"]:
        *others, last = (f'"{choice}"' for choice in about["choices"])
        return f"{', '.join(others)} or {last}"
    if about["or_one"]:
        return "a text or a list of texts"
    words = _WORDS[types_of(kind)[name]]
    if least is not None and most is not None:
        return f"{words} from {least} to {most}"
    return words if least is None else f"{words}, at least {least}"
