"""What holds without an entry in the settings is what the table of settings says."""

from __future__ import annotations

from couchmend.replica.couch.connection.options import Options
from couchmend.replica.couch.connection.servers import Servers
from couchmend.settings import Server


def test_the_defaults_are_the_same() -> None:
    bare = Servers((), {}).options("http://host/db")
    entry = Servers([Server(url="http://host")], {}).options("http://host/db")
    for name in ("connect_timeout_seconds", "read_timeout_seconds", "answer_timeout_seconds"):
        assert getattr(bare, name) == getattr(entry, name) == getattr(Options(), name)
    assert bare.connections == entry.connections == Options().connections
    assert bare.retries == entry.retries == Options().retries
