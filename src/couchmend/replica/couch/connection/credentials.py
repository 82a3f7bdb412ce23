"""Where a name and password, or a token, come from.

The first of these that has some: the address itself, the server's entry in the settings, the
environment, a netrc file.
"""

from __future__ import annotations

import netrc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from couchmend.errors import UsageError
from couchmend.replica.couch.connection.address import Address
from couchmend.replica.couch.connection.authentication import (
    Authentication,
    Basic,
    Bearer,
    CookieSession,
    Nobody,
)
from couchmend.settings import Server

USER = "COUCHMEND_COUCHDB_USER"
PASSWORD = "COUCHMEND_COUCHDB_PASSWORD"  # noqa: S105  # a variable's name
TOKEN_FILE = "COUCHMEND_COUCHDB_TOKEN_FILE"  # noqa: S105
HOST = "COUCHMEND_COUCHDB_HOST"
NETRC = "NETRC"

_ADDRESS = "the address"


@dataclass(frozen=True, slots=True)
class _Pair:
    """A name and password, or only one of them."""

    user: str | None
    password: str | None = field(repr=False)
    source: str


@dataclass(frozen=True, slots=True)
class _Token:
    file: Path
    source: str


def authentication(
    address: Address, entry: Server | None, environment: Mapping[str, str]
) -> Authentication:
    """As whom requests to `address` are made.

    entry: the server's entry in the settings, if it has one.
    environment: the variables that are looked at.

    Raises:
        UsageError: a file cannot be read, or there is a name without a password.
    """
    kind = entry.authentication if entry is not None else None
    found = _first(address, entry, environment, kind)
    match found:
        case None if kind is not None and entry is not None:
            needed = "token_file" if kind == "bearer" else "user and password_file"
            raise UsageError(
                f'authentication = "{kind}", but there is nothing to sign in with',
                target=f"[[servers]] {entry.url}",
                hint=f"give {needed} there",
            )
        case None:
            return Nobody()
        case _Token(file, source):
            return Bearer(file, f"the token in {file} ({source})")
        case _Pair(str(user), str(password), source):
            words = f"the name and password of {source}"
            return (CookieSession if kind == "cookie" else Basic)(user, password, words)
        case _Pair(_, _, source):
            raise UsageError(
                f"{source} has a user's name, but nothing has the password",
                target=address.url,
                hint=f"give it in the address, as password_file in [[servers]], in {PASSWORD},"
                " or in ~/.netrc",
            )


def _first(
    address: Address, entry: Server | None, environment: Mapping[str, str], kind: str | None
) -> _Pair | _Token | None:
    """What to sign in with.  A name alone takes its password from further down."""
    name: _Pair | None = None
    for found in _sources(address, entry, environment):
        if isinstance(found, _Token):
            if name is None and kind in (None, "bearer"):
                return found
        elif kind == "bearer" and found.source != _ADDRESS:
            continue
        elif name is not None:
            if found.password is not None and found.user in (None, name.user):
                return _Pair(name.user, found.password, found.source)
        elif found.user is not None:
            name = found
            if found.password is not None:
                return found
    return name


def _sources(
    address: Address, entry: Server | None, environment: Mapping[str, str]
) -> Iterator[_Pair | _Token]:
    """What each place has, in order; a place is looked at only when those before do not do."""
    if address.user is not None:
        yield _Pair(address.user, address.password, _ADDRESS)
    if entry is not None:
        file = entry.password_file
        if entry.user is not None or file is not None:
            password = None if file is None else _password(file)
            yield _Pair(entry.user, password, str(file or f"[[servers]] {entry.url}"))
        if entry.token_file is not None:
            yield _Token(entry.token_file, f"token_file of [[servers]] {entry.url}")
    if _is_meant(address, environment.get(HOST)):
        yield from _from_environment(environment)
    if (pair := _from_netrc(address.host, environment)) is not None:
        yield pair


def _is_meant(address: Address, host: str | None) -> bool:
    """Whether a host, or host:port, is that of the address; nothing means every host."""
    if not host:
        return True
    wanted = host.strip().lower()
    shown = f"[{address.host}]" if ":" in address.host else address.host
    return wanted in {address.host, shown, f"{shown}:{address.port}"}


def _from_environment(environment: Mapping[str, str]) -> Iterator[_Pair | _Token]:
    user, given = environment.get(USER) or None, environment.get(PASSWORD)
    if user is not None or given is not None:
        yield _Pair(user, given, USER if given is None else PASSWORD)
    if token := environment.get(TOKEN_FILE):
        yield _Token(Path(token).expanduser(), TOKEN_FILE)


def _password(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        problem = "it is not UTF-8"
    except OSError as error:
        problem = error.strerror or "unknown"
    raise UsageError(
        f"the password file cannot be read: {problem}",
        target=str(file),
        hint="password_file in [[servers]] names it",
    )


def _from_netrc(host: str, environment: Mapping[str, str]) -> _Pair | None:
    named = environment.get(NETRC)
    home = environment.get("HOME")
    if not named and not home:
        return None
    file = Path(named).expanduser() if named else Path(home or "", ".netrc")
    if not named and not file.is_file():
        return None
    problem = ""
    try:
        parsed = netrc.netrc(str(file))
    except netrc.NetrcParseError as error:
        problem = f"line {error.lineno} is malformed"  # its words quote what stands there
    except UnicodeDecodeError:
        problem = "it is not UTF-8"
    except OSError as error:
        problem = error.strerror or "unknown"
    if problem:
        raise UsageError(
            f"the netrc file cannot be read: {problem}",
            target=str(file),
            hint="it holds lines such as `machine HOST login NAME password PASSWORD`",
        )
    # Its `default` is for whatever host we may be sent to: not with our password.
    if (found := parsed.hosts.get(host)) is None:
        return None
    login, _, password = found
    return _Pair(login or None, password or None, str(file))
