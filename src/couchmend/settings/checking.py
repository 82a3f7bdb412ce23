"""Whether a value is allowed, where it stands, and what may have been meant instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from couchmend.errors import without_credentials
from couchmend.settings.fields import fields_of, in_words, types_of
from couchmend.settings.sections import SECTIONS, TABLES, key_of


def checked(kind: type, name: str, value: Any, *, strict: bool, file: Path | None) -> Any:
    """The value of a field in its one form.

    strict: whether its type must be right as it stands.
    file: the configuration file; a relative path in it counts from its folder.

    Raises:
        ValueError: the value is not allowed; its words say what is.
    """
    about = fields_of(kind)[name]
    wanted = types_of(kind)[name]
    # A list is what TOML and JSON have; the settings themselves cannot change.
    is_list = wanted == tuple[str, ...]
    value = list(value) if isinstance(value, tuple) else value
    if about["or_one"] and isinstance(value, str):
        value = [value]
    plain = list[str] if is_list else str if wanted is Path else wanted
    found: Any
    if _is_plainly(plain, value, about["least"], about["most"]):
        found = float(value) if plain is float else value
    else:
        found = _validated(kind, name, plain, value, strict)
    if wanted is Path:
        return _path(found, file)
    if is_list:
        return tuple(_of_list(about["form"], item) for item in found)
    if about["placed"]:
        folder = None if file is None else file.absolute().parent
        return _in_form(lambda text: about["placed"](text, folder), found)
    found = _in_form(about["form"], found)
    if about["choices"] and found not in about["choices"]:
        near = nearest(str(found), list(about["choices"])) if isinstance(found, str) else ""
        raise ValueError(f"it is {in_words(kind, name)}{near}")
    return found


def _is_plainly(wanted: Any, value: Any, least: float | None, most: float | None) -> bool:
    """Whether a value is right as it stands.  Most are, and need not wait for a library that takes
    longer to import than everything else together."""
    if wanted == list[str]:
        return isinstance(value, list) and all(type(item) is str for item in value)
    if type(value) is int and wanted is float and abs(value) < 1 << 53:
        value = float(value)
    if type(value) is not wanted:
        return False
    if least is not None and not value >= least:
        return False
    return most is None or value <= most


def _validated(kind: type, name: str, plain: Any, value: Any, strict: bool) -> Any:
    from pydantic import Field, TypeAdapter, ValidationError

    about = fields_of(kind)[name]
    bounds = {"ge": about["least"], "le": about["most"]}
    limits = Field(**{key: bound for key, bound in bounds.items() if bound is not None})
    allowed: Any = Annotated[plain, limits]
    try:
        return TypeAdapter(allowed).validate_python(value, strict=strict)
    except ValidationError as problem:
        raise ValueError(f"it is {in_words(kind, name)}") from problem


def _path(text: str, file: Path | None) -> Path:
    if not text:
        raise ValueError("it is a path")
    path = Path(text).expanduser()
    return path if file is None else file.absolute().parent / path


def _of_list(form: Callable[[str], str] | None, value: Any) -> Any:
    try:
        return _in_form(form, value)
    except ValueError as problem:
        raise ValueError(f"{shown(value)}: {problem}") from problem


def _in_form(form: Callable[[str], str] | None, value: Any) -> Any:
    return value if form is None else form(value)


_SECRET = re.compile(r"((?:password|passwd|secret|token)[^=&]*=)[^&]+", re.IGNORECASE)


def shown(value: Any) -> str:
    """A value as an error may show it: a URL's credentials are left out."""
    match value:
        case str():
            return repr(_SECRET.sub(r"\1…", without_credentials(value)))
        case list() | tuple():
            return f"[{', '.join(map(shown, value))}]"
        case dict():
            pairs = (f"{shown(key)}: {shown(item)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
    return repr(value)


def unknown_key(kind: type, name: str, whole: str, said: Callable[[str], str]) -> str:
    """What may have been meant by a key that does not exist, as the end of a sentence.

    whole: what the keys belong to.
    said: how a key is written.
    """
    names = fields_of(kind)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f" (did you mean {said(near[0])}?)"
    return f" ({whole} has {', '.join(names)})"


def nearest(word: str, known: list[str] | None = None) -> str:
    """What may have been meant, as the end of a sentence: one of `known`, else any setting."""
    if known is not None:
        near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
        return f" (did you mean {near[0]}?)" if near else ""
    every = [key_of(section, name) for section in SECTIONS for name in fields_of(SECTIONS[section])]
    sections = [section for section in SECTIONS if section]
    near = difflib.get_close_matches(word, [*sections, *TABLES, *every], n=1, cutoff=0.5)
    top = [*fields_of(SECTIONS[""]), *sections, *TABLES]
    return f" (did you mean {near[0]}?)" if near else f" (there are {', '.join(top)})"


def place(
    file: Path | None, text: str, section: str, name: str | None = None, number: int | None = None
) -> str:
    """`file:line` of a section or of a key in it, or the file alone where that is unclear.

    section: its name; the empty one is what stands above all sections.
    number: which of the tables of this name, from 0.
    """
    if not section:
        return place(file, text, name or "")
    inside = False
    seen = -1
    for line_number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            named = header[1].strip("\"'") == section
            seen += named
            inside = named and number in (None, seen)
            if inside and name is None:
                return f"{file}:{line_number}"
        elif name is None:
            if re.match(rf"\s*[\"']?{re.escape(section)}[\"']?\s*[=.]", line):
                return f"{file}:{line_number}"
        elif inside and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[=.]", line):
            return f"{file}:{line_number}"
    return str(file)
