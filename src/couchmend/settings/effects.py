"""Settings that would have no effect: an error, since whoever wrote them expects one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from couchmend.settings.replicas import Server

_PORTS = {"http": 80, "https": 443}
_OF_TLS = ("ca_file", "client_certificate", "client_key")
_OF_NAMES = ("user", "password_file")


def without_effect(
    table: str, entries: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[int, str, str]]:
    """What changes nothing in the entries of a table: which, which key, and what to do.

    entries: the keys of each that are given, valid ones only.
    """
    if table == "servers":
        yield from _of_servers(entries)
    elif table == "databases":
        yield from _of_databases(entries)


def _of_servers(entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str, str]]:
    places: dict[object, int] = {}
    for number, fields in enumerate(entries):
        for key, why in _in_one(fields):
            yield number, key, why
        if "url" in fields:
            before = places.setdefault(_place(fields["url"]), number)
            if before != number:
                yield number, "url", f"servers[{before}] is this server too: make one entry of both"


def _of_databases(entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str, str]]:
    urls: dict[str, int] = {}
    names: dict[str, int] = {}
    for number, fields in enumerate(entries):
        several = names_several(fields["url"]) if "url" in fields else None
        if "name" in fields and several:
            yield number, "name", "the url names several databases, which keep their own names"
        if "exclude" in fields and several is False:
            yield number, "exclude", "the url names a single database"
        for key, seen in (("url", urls), ("name", names)):
            if key in fields:
                before = seen.setdefault(fields[key], number)
                if before != number:
                    yield number, key, f"databases[{before}] has it already: the first holds"


def names_several(url: str) -> bool:
    """Whether the address of a `[[databases]]` entry may name more than one database."""
    scheme = url.partition(":")[0]
    if scheme in {"file", "dir"}:
        return scheme == "dir"
    path = urlsplit(url).path.strip("/")
    return not path or "*" in path


def _in_one(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if urlsplit(fields.get("url", "")).scheme == "http":
        for name in _OF_TLS:
            if name in fields:
                yield name, "there are no certificates with http://: write https://, or remove it"
    elif "client_key" in fields and "client_certificate" not in fields:
        yield "client_key", "it belongs to a client_certificate: name that too"
    kind = fields.get("authentication")
    if kind == "bearer":
        for name in _OF_NAMES:
            if name in fields:
                yield name, 'authentication = "bearer" signs in with the token: remove one of both'
    elif "token_file" in fields and kind is not None:
        yield "token_file", f'authentication = "{kind}" takes no token: remove one of both'
    elif "token_file" in fields and not fields.keys().isdisjoint(_OF_NAMES):
        yield "token_file", "user and password_file are there too: remove the one or the other"
    values: dict[str, Any] = {
        field.name: field.default for field in dataclasses.fields(Server)
    } | dict(fields)
    if "time_zone" in fields and not values["quiet_hours"]:
        yield "time_zone", "there are no quiet_hours"
    if (
        "longest_wait_seconds" in fields
        and values["longest_wait_seconds"] > values["retry_seconds"]
    ):
        yield "longest_wait_seconds", "it is over after retry_seconds: raise that too"


def _place(url: str) -> tuple[object, ...]:
    """The same for each spelling of an address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme], parts.path.rstrip("/")


def without_effect_in(
    values: Mapping[tuple[str, str], Any],
) -> Iterator[tuple[tuple[str, str], str]]:
    """The same for the sections.

    values: what is given, by section and name.
    """
    place = ("journal", "password_file")
    url = values.get(("journal", "url"))
    if place in values and url is not None and not url.startswith("postgresql:"):
        yield place, "a journal in a file has no password: remove it"
