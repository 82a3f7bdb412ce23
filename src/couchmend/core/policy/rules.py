"""What a policy says of each path: the rules for its fields, and for what is metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from couchmend.core.document import JSON, check
from couchmend.core.paths import Path
from couchmend.core.policy.builtin import ALIASES, BUILTIN, prefer
from couchmend.core.policy.data import Key, Reader, did_you_mean
from couchmend.core.policy.metadata import CHECKSUM, DEVICE, IGNORED, TIMESTAMP, Checksum
from couchmend.core.policy.patterns import Pattern, Patterns, Reach
from couchmend.core.policy.resolvers import Form, Resolver
from couchmend.core.values import Value
from couchmend.errors import DocumentInvalid

Custom: TypeAlias = Resolver | Callable[..., Any]
"""A resolver of one's own: a `Resolver`, or the function that it calls."""

MODULE_AND_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a policy says of a path.

    metadata: whether what stands there is about the version and says nothing of its content.
    """

    resolver: Resolver
    metadata: bool = False


_REACH = {
    Form.KEYED: Reach.LISTS,
    Form.SET: Reach.LISTS,
    Form.SEQUENCE: Reach.LISTS,
    Form.TEXT: Reach.MEMBERS,
    Form.ATOMIC: Reach.WHOLE,
}


def reach(rule: Rule) -> Reach:
    """How far a rule reaches: one about lists says nothing of their elements, one about strings
    is about each string of an object, any other takes what stands there as a whole."""
    form = rule.resolver.form
    return Reach.WHOLE if form is None else _REACH[form]


def is_known(name: str) -> bool:
    """Whether every policy can name this resolver."""
    return name in BUILTIN or name in ALIASES or name.startswith("prefer:")


def as_resolver(name: str, given: Custom) -> Resolver:
    """A resolver of one's own under its name.  What is made of a function is idempotent if the
    function's attribute `idempotent` says so, and `timed` likewise."""
    if isinstance(given, Resolver):
        return replace(given, name=name)
    return Resolver(
        name,
        given,
        idempotent=bool(getattr(given, "idempotent", False)),
        timed=bool(getattr(given, "timed", False)),
        about=(getattr(given, "__doc__", None) or "").strip().partition("\n")[0],
    )


def read_custom(reader: Reader, given: object) -> Mapping[str, Resolver]:
    """The resolvers of one's own."""
    found = {}
    for name, custom in reader.table(("resolvers",), given).items():
        if is_known(name):
            reader.wrong(("resolvers", name), name, "a resolver of this name is built in")
        elif isinstance(custom, Resolver) or callable(custom):
            found[name] = as_resolver(name, custom)
        else:
            reader.wrong(("resolvers", name), custom, "it is a Resolver or a function")
    return MappingProxyType(found)


def read_rules(
    reader: Reader,
    fields: object,
    custom: Mapping[str, Resolver],
    about: Mapping[Pattern, Resolver],
) -> tuple[Mapping[str, JSON], dict[Pattern, Rule]]:
    """The fields' plain data in its one form, and the rules: those for fields, and those for
    metadata, whose resolver a field's rule for the same pattern replaces."""
    rules = {pattern.steps: (pattern, Rule(resolver, True)) for pattern, resolver in about.items()}
    data: dict[str, JSON] = {}
    seen: dict[tuple[object, ...], str] = {}
    for text, value in reader.table(("fields",), fields).items():
        key = ("fields", text)
        pattern = reader.pattern(key, text)
        resolver = read_resolver(reader, key, value, custom)
        if pattern is None or resolver is None:
            continue
        if pattern.steps in seen:
            reader.wrong(key, value, f"fields.{seen[pattern.steps]} is the same pattern")
        seen[pattern.steps] = text
        if pattern.steps == ("_attachments",):
            reader.wrong(
                key, value, "attachments are merged by name: say which, or set attachments"
            )
        rules[pattern.steps] = (pattern, Rule(resolver, pattern.steps in rules))
        data[text] = resolver_data(resolver)
    return MappingProxyType(data), dict(rules.values())


def read_resolver(
    reader: Reader, key: Key, value: object, custom: Mapping[str, Resolver]
) -> Resolver | None:
    """The resolver that a value names: a name, or `{"prefer": [values]}`."""
    if isinstance(value, Mapping) and set(value) == {"prefer"}:
        return _read_prefer(reader, key, value["prefer"])
    if not isinstance(value, str):
        said = dict(value) if isinstance(value, Mapping) else value
        reader.wrong(key, said, "it is the name of a resolver, or { prefer = [values] }")
        return None
    found = custom.get(value) or BUILTIN.get(ALIASES.get(value, value))
    if found is not None:
        return found
    if value.startswith("prefer:"):
        try:
            return _read_prefer(reader, key, json.loads(value.removeprefix("prefer:")))
        except ValueError:
            reader.wrong(key, value, 'prefer is written { prefer = ["done", "todo"] }')
    elif MODULE_AND_FUNCTION.fullmatch(value):
        reader.wrong(key, value, "module:function is taken from a configuration file only")
    else:
        known = [*BUILTIN, "prefer", *ALIASES, *custom]
        why = did_you_mean(value, known) or f" (there are {', '.join(known)})"
        reader.wrong(key, value, f"there is no such resolver{why}")
    return None


def _read_prefer(reader: Reader, key: Key, values: object) -> Resolver | None:
    if not isinstance(values, (list, tuple)) or not values:
        reader.wrong(key, {"prefer": values}, "prefer has a list of values, the best first")
        return None
    try:
        check(list(values))
    except DocumentInvalid as problem:
        reader.wrong(key, {"prefer": values}, f"a value is not JSON: {problem.message}")
        return None
    return prefer(values)


def resolver_data(resolver: Resolver) -> JSON:
    """How a policy's data names a resolver."""
    if resolver.name.startswith("prefer:"):
        return {"prefer": json.loads(resolver.name.removeprefix("prefer:"))}
    return resolver.name


def metadata_rules(
    checksum: Checksum | None, patterns: Mapping[str, Iterable[Pattern]]
) -> dict[Pattern, Resolver]:
    """The resolvers for what is metadata; of two for one pattern the first holds."""
    found: list[tuple[Pattern, Resolver]] = []
    if checksum is not None and checksum.field:
        found.append((Pattern.of_names(checksum.field), CHECKSUM))
    for key, resolver in (
        ("ignore_fields", IGNORED),
        ("timestamp_fields", TIMESTAMP),
        ("device_fields", DEVICE),
    ):
        found += [(pattern, resolver) for pattern in patterns[key]]
    by_steps: dict[tuple[object, ...], tuple[Pattern, Resolver]] = {}
    for pattern, resolver in found:
        by_steps.setdefault(pattern.steps, (pattern, resolver))
    return dict(by_steps.values())


def not_idempotent(
    rules: Patterns[Rule], value: Value, path: Path = ()
) -> Iterator[tuple[Path, str]]:
    """The paths of a value that are given to a resolver which is not idempotent, the outermost
    ones, each with its name."""
    rule = rules.value
    if rule is not None and not rule.resolver.idempotent:
        yield path, rule.resolver.name
    elif rule is None or rules.goes_on:
        parts: Iterable[tuple[str | int, Value]] = ()
        if type(value) is dict:
            parts = value.items()
        elif type(value) is list:
            parts = enumerate(value)
        for step, part in parts:
            yield from not_idempotent(rules.beneath(step), part, (*path, step))
