"""No password is in anything that is shown, however an address is misspelt."""

from __future__ import annotations

import json
import logging
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchmend import open_replica, open_server
from couchmend.errors import CouchmendError, Unauthorized, UsageError, without_credentials
from couchmend.replica.couch import CouchReplica, CouchServer
from couchmend.replica.couch.connection import Connection, Options, Stream
from couchmend.replica.couch.connection.authentication import Basic, CookieSession
from couchmend.replica.couch.connection.connection import _Failed
from couchmend.replica.couch.connection.retries import Retries
from couchmend.replica.couch.connection.servers import Servers
from couchmend.settings import load
from tests.replica.scripted_server import Told, scripted_server

SECRET = "s3cret"

SCHEMES = [
    "http://", "https://", "HTTP://", "htp://", "http:/", "http:", "http//", "//", "/", "",
    "http:///", " http://", "http ://", "couchdb://", "http;//", "http://http://", "1:", ":",
]  # fmt: skip
NAMES = st.sampled_from(["jo", "", "j%20o", "http", "jo:jo", "jo@example.org", "a/b"])
PASSWORDS = st.builds(
    lambda before, after: before + SECRET + after,
    st.text(st.sampled_from("a1:/@#?%[]\\ ü\n'\"&;."), max_size=6),
    st.text(st.sampled_from("a1:/@#?%[]\\ ü\n'\"&;."), max_size=6),
)
PLACES = st.sampled_from(["host", "host:5984/db", "host/db", "[::1]:5984/db", "", "host:x/db", "/"])


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """What somebody may have typed who wanted to give a name and a password."""
    scheme, name = draw(st.sampled_from(SCHEMES)), draw(NAMES)
    return f"{scheme}{name}:{draw(PASSWORDS)}@{draw(PLACES)}"


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """What anything logs, down to its finest detail."""
    lines: list[str] = []

    class Taking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler, root = Taking(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def told(problem: BaseException) -> str:
    """All that can be seen of an error."""
    return "\n".join([*traceback.format_exception(problem), repr(problem), str(vars(problem))])


def hold_no_secret(shown: str) -> None:
    assert SECRET not in shown, shown


def is_address(url: str) -> bool:
    try:
        Servers((), {}).options(url)
    except UsageError:
        return False
    return True


OPENINGS: list[Callable[[str], object]] = [
    open_replica,
    open_server,
    CouchReplica.open,
    CouchServer,
    Servers((), {}).options,
]


@settings(deadline=None)
@given(addresses())
def test_what_was_typed_wrong(url: str) -> None:
    hold_no_secret(without_credentials(url))
    if is_address(url):
        with closing(Connection.open(url, user=None, password=None, options=None)) as connection:
            hold_no_secret(repr(connection) + connection.url)
        return
    for opening in OPENINGS:
        with everything_logged() as lines, pytest.raises(UsageError) as refusal:
            opening(url)
        hold_no_secret(told(refusal.value) + "".join(lines))
        assert refusal.value.hint


@settings(deadline=None)
@given(addresses(), st.sampled_from(["one", "list", "object"]))
def test_in_the_settings(tmp_path_factory: pytest.TempPathFactory, url: str, where: str) -> None:
    file = tmp_path_factory.getbasetemp() / f"couchmend-{where}.toml"
    text = json.dumps(url, ensure_ascii=False)
    lines = {
        "one": f"[[servers]]\nurl = {text}\n",
        "list": f"[replica_server]\nport = [{text}, 1]\ncors_origins = [{text}]\n",
        "object": f"servers = {{a = {text}}}\n",
    }
    file.write_text(lines[where], encoding="utf-8")
    with pytest.raises(UsageError) as refusal:
        load(config=file, environment={})
    hold_no_secret(told(refusal.value))


def test_in_the_environment() -> None:
    url = f"htp://jo:{SECRET}@host"
    for name in ("REPLICA_SERVER__HOST", "REPLICA_SERVER__PORT", "REPLICA_SERVER__CORS_ORIGINS"):
        with pytest.raises(UsageError) as refusal:
            load(environment={f"COUCHMEND_{name}": url})
        hold_no_secret(told(refusal.value))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://jo:secret@host:5984/db", "http://…@host:5984/db"),
        ("htp://jo:secret@host", "htp://…@host"),
        ("http:/jo:secret@host", "http:/…@host"),
        ("http:jo:secret@host", "http:…@host"),
        ("jo:secret@host:5984/db", "…@host:5984/db"),
        ("http://jo:a/b@c@host/db", "http://…@host/db"),
        ("http://host/db", "http://host/db"),
        ("notes.couch", "notes.couch"),
        ("", ""),
    ],
)
def test_what_is_left(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_a_path_that_is_there_is_shown(tmp_path: Path) -> None:
    folder = tmp_path / "jo@work"
    folder.mkdir()
    with pytest.raises(UsageError) as refusal:
        open_replica(str(folder))
    assert refusal.value.hint.startswith(f"say dir:{folder} ")


def test_a_place_that_a_server_sends_us_to() -> None:
    with scripted_server() as server:
        server.tell(Told(302, b"", {"Location": f"http://jo:{SECRET}@elsewhere:1/db?{SECRET}"}))
        with pytest.raises(CouchmendError) as refusal:
            CouchReplica.open(f"{server.url}/db")
    assert "elsewhere:1" in refusal.value.hint
    hold_no_secret(told(refusal.value))


def test_nothing_on_the_way_shows_what_it_carries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the objects of a request nor what is logged; a session's cookie is a secret too."""
    seen: list[str] = []
    send, whole = Connection._send, Stream.whole_answer

    def sending(self: Connection, request: object, *rest: object, **words: object) -> object:
        outcome = send(self, request, *rest, **words)  # type: ignore[arg-type]
        seen.extend([repr(request), repr(outcome), repr(self._options)])
        return outcome

    def receiving(self: Stream) -> object:
        answer = whole(self)
        seen.append(repr(answer))
        return answer

    monkeypatch.setattr(Connection, "_send", sending)
    monkeypatch.setattr(Stream, "whole_answer", receiving)
    cookie = {"Set-Cookie": f"AuthSession={SECRET}cookie; Max-Age=600"}
    refused = Told(401, {"error": "unauthorized", "reason": "r"}, cookie)
    encoded = b64encode(f"jo:{SECRET}".encode()).decode()
    with scripted_server() as server, everything_logged() as lines:
        for authentication in (
            Basic("jo", SECRET, "a test"),
            CookieSession("jo", SECRET, "a test"),
        ):
            server.tell(Told(200, {"ok": True}, cookie), Told(200, {"ok": True}, cookie), refused)
            options = Options(authentication=authentication, retries=Retries(attempts=1))
            connection = Connection.open(server.url, user=None, password=None, options=options)
            with closing(connection):
                connection.answer("PUT", "x", body=b"{}")
                if isinstance(authentication, Basic):
                    connection.answer("PUT", "x", body=b"{}")
                with pytest.raises(Unauthorized) as refusal:
                    connection.answer("PUT", "x", body=b"{}")
            seen.append(told(refusal.value))
    sent = [
        asked.headers.get("cookie", "") + asked.headers.get("authorization", "")
        for asked in server.asked
    ]
    assert any(encoded in text for text in sent)
    assert any(SECRET in text for text in sent)
    assert len(seen) > 10
    for text in [*seen, *lines]:
        hold_no_secret(text)
        assert encoded not in text


def test_a_failure_does_not_show_what_was_refused() -> None:
    refused_as = Basic("jo", SECRET, "a test").headers(lambda form: {})
    assert "Basic" not in repr(_Failed(Unauthorized("r"), refused_as=refused_as))
