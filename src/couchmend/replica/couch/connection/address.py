"""URLs: where a server is, and how documents and databases are named in a path."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, quote, unquote, urlsplit

from couchmend.core.document import DESIGN, LOCAL, check_id
from couchmend.errors import UsageError, without_credentials

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A server, or a path on one.  Credentials are kept apart from everything that is shown."""

    scheme: str
    host: str
    port: int
    path: str
    """Percent-encoded, without a slash at its end."""
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Address:
        """Take `http(s)://[user:password@]host[:port][/path]` apart.

        Raises:
            UsageError: it is none.
        """
        parts = _parts(url)
        if parts is None or not parts.hostname:
            # No cause is shown: the standard library's words quote the password.
            raise UsageError(
                "this is no address of a CouchDB",
                target=without_credentials(url),
                hint="http(s)://[user:password@]host[:port]/database, with special characters"
                " of the password percent-encoded",
            )
        return cls(
            scheme=parts.scheme,
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            path=parts.path.rstrip("/"),
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )

    @property
    def url(self) -> str:
        """The URL without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def origin(self) -> Address:
        """The host and port alone."""
        return Address(self.scheme, self.host, self.port, "")

    def covers(self, other: Address) -> bool:
        """Whether `other` is this place, or beneath it."""
        return (self.scheme, self.host, self.port) == (
            other.scheme,
            other.host,
            other.port,
        ) and f"{other.path}/".startswith(f"{self.path}/")

    def beneath(self, segment: str) -> Address:
        """One step further down; `segment` is percent-encoded here."""
        return replace(self, path=f"{self.path}/{quoted(segment)}")

    def split_database(self) -> tuple[Address, str]:
        """The server, and the name of the database that the last segment of the path is.

        Raises:
            UsageError: there is no path.
        """
        server, _, name = self.path.rpartition("/")
        if not name:
            raise UsageError(
                "the address names no database",
                target=self.url,
                hint=f"add its name: {self.url}/NAME",
            )
        return replace(self, path=server), unquote(name)


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    # An `@` in the path: most likely a `/` in the password ended the host too early.
    strange = port == 0 or parts.query or parts.fragment or "@" in parts.path
    return None if strange or parts.scheme not in _PORTS else parts


def quoted(segment: str) -> str:
    """One segment of a path."""
    if segment in (".", ".."):
        # Proxies would take the plain dots for steps up the path.
        return segment.replace(".", "%2E")
    return quote(segment, safe="")


def document_path(id: str) -> str:
    """A document's path in its database.

    Raises:
        BadRequest: nothing that can name a document; as a path it would mean something else.
    """
    check_id(id)
    for prefix in (DESIGN, LOCAL):
        if id.startswith(prefix):
            return prefix + quoted(id.removeprefix(prefix))
    return quoted(id)


def attachment_path(id: str, name: str) -> str:
    """An attachment's path in its database; `name` must not be empty."""
    return f"{document_path(id)}/{quoted(name)}"
