"""The guards as a whole, under a real server."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
import uvicorn

from couchmend.replica.http_face.exchange import Message, Receive, Scope, Send
from couchmend.replica.http_face.guards.protect import protect
from couchmend.replica.http_face.guards.users import Users
from couchmend.settings import ReplicaServer
from tests.replica.http_face.calling import CHEAP, whoami


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The application on a free port; yields its address."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="warning", proxy_headers=False, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path, hasher=CHEAP)


def test_a_day_in_the_life(users: Users) -> None:
    settings = ReplicaServer(cors_origins=("http://app.example",), cors_credentials=True)
    app = protect(whoami, users.path.parent, settings, users=users)
    with serving(app) as url, urllib3.PoolManager(retries=False) as http:

        def ask(method: str, path: str, **more: Any) -> tuple[int, Any]:
            answer = http.request(method, url + path, **more)
            return answer.status, answer.json()

        assert ask("GET", "/db") == (200, {"name": None, "roles": ["_admin"]})
        assert ask("GET", "/db", headers={"Host": "evil.example"})[0] == 400
        assert ask("PUT", "/db", headers={"Origin": "http://evil.example"})[0] == 403
        users.add("ann", "x", ["r"])
        assert ask("GET", "/db") == (200, {"name": None, "roles": []})
        password = urllib3.make_headers(basic_auth="ann:x")
        assert ask("GET", "/db", headers=password) == (200, {"name": "ann", "roles": ["r"]})
        entered = http.request("POST", f"{url}/_session", json={"name": "ann", "password": "x"})
        assert entered.json() == {"ok": True, "name": "ann", "roles": ["r"]}
        cookie = {"Cookie": entered.headers["Set-Cookie"].split(";")[0]}
        for _ in range(3):
            assert ask("GET", "/db", headers=cookie)[1]["name"] == "ann"
        page = {**cookie, "Origin": "http://app.example"}
        answer = http.request("GET", f"{url}/db", headers=page)
        assert answer.json()["name"] == "ann"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        users.set_password("ann", "y")
        assert ask("GET", "/db", headers=cookie)[1]["name"] is None
        assert ask("GET", "/db", headers=password)[0] == 401
        head = http.request("HEAD", f"{url}/db", headers=password)
        assert (head.status, head.data) == (401, b"")


def test_a_large_upload_that_is_refused_does_not_break_the_connection(users: Users) -> None:
    app = protect(whoami, users.path.parent, users=users)
    with serving(app) as url, urllib3.PoolManager(retries=False, maxsize=1) as http:
        for _ in range(3):
            refused = http.request(
                "PUT", f"{url}/db/doc", body=bytes(3_000_000), headers={"Origin": "http://evil.org"}
            )
            assert refused.status == 403
        assert http.request("GET", f"{url}/db").status == 200


def test_nothing_but_http_reaches_the_application(users: Users) -> None:
    seen: list[str] = []
    sent: list[Message] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    app = protect(inner, users.path.parent, users=users)

    async def call(scope: Scope) -> None:
        await app(scope, receive, send)

    for kind in ("lifespan", "websocket"):
        asyncio.run(call({"type": kind, "headers": []}))
    assert seen == ["lifespan"]
    assert sent == [{"type": "websocket.close", "code": 1000}]
