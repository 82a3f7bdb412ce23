"""Where credentials come from, and in which order."""

from __future__ import annotations

import traceback
from base64 import b64encode
from pathlib import Path

import pytest

from couchmend.errors import UsageError
from couchmend.replica.couch.connection.address import Address
from couchmend.replica.couch.connection.authentication import (
    Authentication,
    Basic,
    Bearer,
    CookieSession,
    Nobody,
)
from couchmend.replica.couch.connection.credentials import authentication
from couchmend.replica.couch.connection.servers import Servers
from couchmend.settings import Server

HOST = "couch.example.org"
URL = f"https://{HOST}/notes"


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("from a file \n")
    return file


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("a.token\n")
    return file


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".netrc").write_text(
        f"machine {HOST} login ned password from-netrc\ndefault login all password for-all\n"
    )
    return tmp_path


def sent(found: Authentication) -> str:
    """The name and password, or the token, that would be sent."""
    headers = found.headers(lambda form: {})
    assert isinstance(found, Basic | Bearer)
    return headers["authorization"]


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def find(url: str = URL, entry: Server | None = None, /, **environment: str) -> Authentication:
    variables = {f"COUCHMEND_COUCHDB_{name}": value for name, value in environment.items()}
    for name in ("HOME", "NETRC"):
        if name in environment:
            variables[name] = environment[name]
    return authentication(Address.parse(url), entry, variables)


def test_nothing_anywhere() -> None:
    assert isinstance(find(), Nobody)


def test_the_order(home: Path, password_file: Path, token_file: Path) -> None:
    everything = {"USER": "eve", "PASSWORD": "from-env", "HOME": str(home)}
    entry = Server(url=f"https://{HOST}", user="fay", password_file=password_file)
    with_password = f"https://ann:from-url@{HOST}/notes"
    assert sent(find(with_password, entry, **everything)) == basic("ann", "from-url")
    assert sent(find(URL, entry, **everything)) == basic("fay", "from a file ")
    assert sent(find(**everything)) == basic("eve", "from-env")
    assert sent(find(HOME=str(home))) == basic("ned", "from-netrc")
    token = Server(url=f"https://{HOST}", token_file=token_file)
    assert sent(find(URL, token, **everything)) == "Bearer a.token"
    assert sent(find(TOKEN_FILE=str(token_file), HOME=str(home))) == "Bearer a.token"
    assert sent(find(TOKEN_FILE=str(token_file), **everything)) == basic("eve", "from-env")


@pytest.mark.parametrize(
    ("url", "host", "is_meant"),
    [
        (URL, "", True),
        (URL, HOST, True),
        (URL, HOST.upper(), True),
        (URL, f"{HOST}:443", True),
        (URL, f"{HOST}:5984", False),
        (URL, "other.example.org", False),
        (URL, "example.org", False),
        ("http://[::1]:5984/notes", "::1", True),
        ("http://[::1]:5984/notes", "[::1]:5984", True),
        ("http://[::1]:5984/notes", "[::1]:5985", False),
    ],
)
def test_the_environment_may_be_for_one_host(
    home: Path, token_file: Path, url: str, host: str, is_meant: bool
) -> None:
    named = find(url, HOST=host, USER="eve", PASSWORD="from-env")
    assert isinstance(named, Basic if is_meant else Nobody)
    token = find(url, HOST=host, TOKEN_FILE=str(token_file))
    assert isinstance(token, Bearer if is_meant else Nobody)
    if not is_meant and url == URL:  # what comes after it is looked at
        both = find(url, HOST=host, USER="eve", PASSWORD="from-env", HOME=str(home))
        assert sent(both) == basic("ned", "from-netrc")


def test_the_source_is_told(home: Path, password_file: Path) -> None:
    entry = Server(url=f"https://{HOST}", user="fay", password_file=password_file)
    assert "the address" in find(f"https://ann:x@{HOST}/notes").source
    assert str(password_file) in find(URL, entry).source
    assert "COUCHMEND_COUCHDB_PASSWORD" in find(USER="eve", PASSWORD="x").source
    assert str(home / ".netrc") in find(HOME=str(home)).source


def test_a_name_takes_its_password_from_further_down(home: Path, password_file: Path) -> None:
    url = f"https://ann@{HOST}/notes"
    assert sent(find(url, PASSWORD="from-env")) == basic("ann", "from-env")
    assert sent(find(url, USER="ann", PASSWORD="from-env")) == basic("ann", "from-env")
    entry = Server(url=f"https://{HOST}", password_file=password_file)
    assert sent(find(url, entry)) == basic("ann", "from a file ")
    assert sent(find(f"https://ned@{HOST}/notes", HOME=str(home))) == basic("ned", "from-netrc")
    with_empty = f"https://ann:@{HOST}/notes"
    assert sent(find(with_empty, PASSWORD="from-env")) == basic("ann", "")


def test_no_name_gets_somebody_elses_password(home: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        find(f"https://ann@{HOST}/notes", USER="eve", PASSWORD="from-env", HOME=str(home))
    assert "the address has a user's name" in refusal.value.message
    assert "COUCHMEND_COUCHDB_PASSWORD" in refusal.value.hint
    with pytest.raises(UsageError):
        find(USER="eve")


def test_a_netrc_is_for_its_hosts_only(home: Path) -> None:
    assert isinstance(find("https://other.example.org/notes", HOME=str(home)), Nobody)


def test_a_netrc_may_be_elsewhere(tmp_path: Path, home: Path) -> None:
    other = tmp_path / "other"
    other.write_text(f'machine {HOST} login mo password "with space"')
    assert sent(find(HOME=str(home), NETRC=str(other))) == basic("mo", "with space")


@pytest.mark.parametrize(
    "text", ["machine", "nonsense secret", b"\xff", "machine h login\n secret x"]
)
def test_a_malformed_netrc(tmp_path: Path, text: str | bytes) -> None:
    file = tmp_path / ".netrc"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as refusal:
        find(HOME=str(tmp_path))
    assert str(file) in str(refusal.value)
    assert "secret" not in "".join(traceback.format_exception(refusal.value))
    assert "machine HOST" in refusal.value.hint


def test_a_netrc_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        find(NETRC=str(tmp_path / "none"))
    assert isinstance(find(HOME=str(tmp_path)), Nobody)


@pytest.mark.parametrize("kind", ["basic", "cookie", "bearer"])
def test_the_way_to_sign_in(password_file: Path, token_file: Path, kind: str) -> None:
    entry = Server(
        url=f"https://{HOST}",
        user="fay",
        password_file=password_file,
        token_file=token_file,
        authentication=kind,
    )
    wanted: dict[str, type] = {"basic": Basic, "cookie": CookieSession, "bearer": Bearer}
    assert type(find(URL, entry)) is wanted[kind]
    assert "from a file" not in repr(find(URL, entry))
    bare = Server(url=f"https://{HOST}", authentication=kind)
    with pytest.raises(UsageError) as refusal:
        find(URL, bare)
    assert kind in refusal.value.message


def test_a_password_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"\xff\xfe")
    for name in ("none", "bad"):
        entry = Server(url=f"https://{HOST}", user="fay", password_file=tmp_path / name)
        with pytest.raises(UsageError) as refusal:
            find(URL, entry)
        assert name in refusal.value.target


# --- entries of the settings


def test_the_entry_that_fits_best_holds() -> None:
    servers = Servers(
        [
            Server(url="https://host", connections=1),
            Server(url="https://host/couch", connections=2),
            Server(url="https://host/couch/notes", connections=3),
            Server(url="https://host:6984", connections=4),
            Server(url="http://host", connections=5),
        ],
        {},
    )
    fitting = {
        "https://host/a": 1,
        "https://HOST:443/couches": 1,
        "https://host/couch": 2,
        "https://host/couch/b": 2,
        "https://host/couch/notes": 3,
        "https://jo:x@host:6984/a": 4,
        "http://host/a": 5,
        "http://other/a": Servers((), {}).options("http://other/a").connections,
    }
    assert {url: servers.options(url).connections for url in fitting} == fitting


def test_what_an_entry_says_is_used() -> None:
    entry = Server(
        url="http://host",
        max_requests_per_second=2.5,
        connect_timeout_seconds=1.5,
        read_timeout_seconds=2.5,
        answer_timeout_seconds=3.5,
        attempts=4,
        retry_seconds=5.5,
        longest_wait_seconds=6.5,
    )
    servers = Servers([entry], {})
    one, other = servers.options("http://host/a"), servers.options("http://host/b")
    assert one.throttle is other.throttle is not None
    told = (one.connect_timeout_seconds, one.read_timeout_seconds, one.answer_timeout_seconds)
    assert told == (1.5, 2.5, 3.5)
    retries = one.retries
    told = (retries.attempts, retries.total_seconds, retries.longest_retry_after_seconds)
    assert told == (4, 5.5, 6.5)
    assert Servers([entry], {}).options("http://host/a").throttle is not one.throttle
