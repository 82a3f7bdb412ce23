"""What an answer that says no becomes, and what its hint says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from couchmend import open_replica, open_server
from couchmend.core.document import JSON
from couchmend.errors import (
    DatabaseNotFound,
    DocumentInvalid,
    NotFound,
    ReplicaError,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from couchmend.replica.couch.connection import Connection, Options
from couchmend.replica.couch.connection.authentication import Basic
from couchmend.replica.couch.connection.retries import Retries
from tests.replica.scripted_server import Asked, ScriptedServer, Told, scripted_server

INFO: JSON = {"db_name": "notes", "doc_count": 3, "update_seq": "7-abc", "purge_seq": "0-x"}
GONE = Told(404, {"error": "not_found", "reason": "Database does not exist."})


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's own credentials."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("USER", "PASSWORD", "TOKEN_FILE"):
        monkeypatch.delenv(f"COUCHMEND_COUCHDB_{name}", raising=False)
    monkeypatch.delenv("NETRC", raising=False)


def refused(server: ScriptedServer, told: Told, *, signed_in: bool = False) -> ReplicaError:
    server.tell(told)
    options = Options(
        retries=Retries(attempts=1),
        authentication=Basic("jo", "secret", "the name and password of a test")
        if signed_in
        else None,
    )
    connection = Connection.open_database(
        f"{server.url}/notes", user=None, password=None, options=options
    )
    with pytest.raises(ReplicaError) as refusal:
        connection.answer("GET", "a")
    connection.close()
    return refusal.value


HTML = b"<!DOCTYPE html><title>No</title>"


@pytest.mark.parametrize("body", [HTML, b"", {}, {"message": "no"}, [], b"plain words"])
@pytest.mark.parametrize("status", [300, 301, 302, 307, 400, 403, 404, 405, 409, 412, 415, 451])
def test_words_that_are_not_couchdbs_say_nothing_of_documents(
    server: ScriptedServer, status: int, body: JSON | bytes
) -> None:
    told = refused(server, Told(status, body, {"Location": "https://elsewhere.example/"}))
    assert type(told) is Unavailable
    assert not told.transient
    assert told.hint


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Unauthorized), (413, TooLarge), (500, ReplicaError)]
)
def test_what_is_clear_without_words(
    server: ScriptedServer, status: int, kind: type[ReplicaError]
) -> None:
    assert type(refused(server, Told(status, HTML))) is kind


def test_a_document_may_be_refused_with_500(server: ScriptedServer) -> None:
    told = refused(server, Told(500, {"error": "doc_validation", "reason": "_x"}))
    assert type(told) is DocumentInvalid
    assert not told.transient


@pytest.mark.parametrize(
    ("told", "signed_in", "hint"),
    [
        (Told(403, {"error": "forbidden", "reason": "r"}), False, "nobody is signed in"),
        (
            Told(403, {"error": "forbidden", "reason": "You are not allowed to access this db."}),
            True,
            "_security",
        ),
        (Told(401, {"error": "unauthorized", "reason": "r"}), True, "the name and password of a"),
        (Told(401, {"error": "unauthorized", "reason": "r"}), False, "COUCHMEND_COUCHDB_USER"),
        (Told(413, {"error": "document_too_large", "reason": "big"}), False, "document_size"),
        (Told(413, {"error": "document_too_large", "reason": "big"}), False, ": big"),
        (Told(413, {"error": "attachment_too_large", "reason": "att"}), False, "attachment_size"),
        (
            Told(413, {"error": "too_large", "reason": "the request entity is too large"}),
            False,
            "max_http_request_size",
        ),
        (Told(429, {"error": "too_many_requests", "reason": "r"}), False, "max_requests_per_sec"),
        (
            Told(404, b"nothing here", {"Content-Type": "text/plain"}),
            False,
            "404 with text/plain: nothing here",
        ),
        (
            Told(302, HTML, {"Location": "https://jo:pw@sign-in.example.org/x?token=abc"}),
            False,
            "https://sign-in.example.org, and",
        ),
    ],
)
def test_hints(server: ScriptedServer, told: Told, signed_in: bool, hint: str) -> None:
    assert hint in refused(server, told, signed_in=signed_in).hint


def test_a_validation_needs_no_hint(server: ScriptedServer) -> None:
    told = refused(server, Told(403, {"error": "forbidden", "reason": "no"}), signed_in=True)
    assert (told.reason, told.hint) == ("no", "")


def test_a_page_where_json_should_be(server: ScriptedServer) -> None:
    told = refused(server, Told(200, b"Hello", {"Content-Type": "text/html; charset=utf-8"}))
    assert "web page" in told.hint
    assert not told.transient  # it would be there the next time, too


def test_the_nearest_database_is_named(server: ScriptedServer) -> None:
    def script(asked: Asked) -> Told:
        return Told(200, ["notes", "_users", "tasks"]) if asked.path == "/x/_all_dbs" else GONE

    server.script = script
    with pytest.raises(DatabaseNotFound) as missing:
        open_replica(f"{server.url}/x/nots")
    assert missing.value.hint == "did you mean notes?"
    with (
        closing(open_server(f"{server.url}/x")) as couch,
        pytest.raises(DatabaseNotFound) as missing,
    ):
        couch.open("task")
    assert missing.value.hint == "did you mean tasks?"
    with pytest.raises(DatabaseNotFound) as missing:
        open_replica(f"{server.url}/x/unlike")
    assert "check the name" in missing.value.hint


def test_names_that_one_may_not_see_are_no_further_error(server: ScriptedServer) -> None:
    def script(asked: Asked) -> Told:
        if asked.path == "/_all_dbs":
            return Told(401, {"error": "unauthorized", "reason": "You are not a server admin."})
        return GONE

    server.script = script
    with pytest.raises(NotFound) as missing:
        open_replica(f"{server.url}/nots")
    assert "check the name" in missing.value.hint


def test_credentials_come_from_the_environment(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.tell(Told(body=INFO))
    monkeypatch.setenv("COUCHMEND_COUCHDB_USER", "eve")
    monkeypatch.setenv("COUCHMEND_COUCHDB_PASSWORD", "secret")
    with open_replica(f"{server.url}/notes") as notes:
        assert "secret" not in repr(notes)
    assert server.asked[0].headers["authorization"] == "Basic ZXZlOnNlY3JldA=="
    server.tell(Told(401, {"error": "unauthorized", "reason": "r"}))
    with pytest.raises(Unauthorized) as refusal:
        open_replica(f"{server.url}/notes")
    assert "COUCHMEND_COUCHDB_PASSWORD" in refusal.value.hint
    assert "secret" not in str(refusal.value)
