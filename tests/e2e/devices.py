"""Real PouchDBs that do what a test tells them: in Node.js, or in the page of a browser."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from couchmend.core.document import Doc
from couchmend.replica.base import ChangesQuery, Found, Replica

HERE = Path(__file__).parent
POUCHDB = HERE / "node_modules" / "pouchdb" / "dist"
CHROMIUM = "/usr/bin/chromium"
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

Leaves = dict[str, list[Doc]]


class Devices(Protocol):
    """Where `flow.js` runs."""

    def ask(self, step: str, **given: object) -> Any:
        """Have one of its steps done; returns what it answers, or fails with its words."""


class NodeDevices:
    """In a process of Node.js, databases in memory."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, step: str, **given: object) -> Any:
        """See `Devices`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"step": step, "given": given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"Node.js ended in {step}"
        told = json.loads(line)
        assert "error" not in told, told["error"]
        return told["answer"]


@contextmanager
def node_devices() -> Iterator[Devices]:
    """Devices of a process of their own."""
    command = ["node", "--no-deprecation", str(HERE / "steps.js")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield NodeDevices(process)
        finally:
            process.kill()


@contextmanager
def page_origin(folder: Path = POUCHDB) -> Iterator[str]:
    """Where a page comes from that may load the files of a folder."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a line on stderr for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class BrowserDevices:
    """In a page, databases in IndexedDB."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def ask(self, step: str, **given: object) -> Any:
        """See `Devices`."""
        return self._page.evaluate(
            """async ([step, given]) => {
              try {
                return (await steps[step](given)) ?? null;
              } catch (problem) { // PouchDB's errors are no Error objects
                throw new Error(step + ': ' + problem.message + ' ' + JSON.stringify(problem));
              }
            }""",
            [step, given],
        )


@contextmanager
def browser_devices(origin: str) -> Iterator[Devices]:
    """Devices of one page of this origin."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        try:
            page = browser.new_page()
            page.goto(f"{origin}/")
            for script in ("pouchdb.min.js", "pouchdb.indexeddb.min.js", "pouchdb.find.min.js"):
                page.add_script_tag(url=f"/{script}")
            page.add_script_tag(content=(HERE / "flow.js").read_text())
            page.evaluate("() => { globalThis.steps = flow(PouchDB); }")
            yield BrowserDevices(page)
        finally:
            browser.close()


def leaves_of(replica: Replica) -> Leaves:
    """All leaves of all documents, each with its history, as PouchDB shows them."""
    shown: Leaves = {}
    pages = replica.change_pages(ChangesQuery(style="all_docs"))
    wanted = [(row.id, rev) for page in pages for row in page.rows for rev in row.revs]
    for leaf in replica.bulk_get(wanted, revs=True):
        for outcome in leaf.outcomes:
            assert isinstance(outcome, Found), outcome
            shown.setdefault(leaf.id, []).append(outcome.doc)
    return shown


def same_leaves(one: Leaves, other: Leaves) -> None:
    """Hold that both have the same documents, each with the same leaves: revisions, histories,
    bodies, deletions, and attachments by digest."""
    assert one.keys() == other.keys(), f"only on one side: {one.keys() ^ other.keys()}"
    for id, leaves in one.items():
        assert _sorted(leaves) == _sorted(other[id]), id


def _sorted(leaves: list[Doc]) -> list[Doc]:
    """In one order; without `revpos`, which PouchDB sets to when it got the bytes itself."""
    return [_without_revpos(doc) for doc in sorted(leaves, key=lambda doc: str(doc["_rev"]))]


def _without_revpos(doc: Doc) -> Doc:
    entries = doc.get("_attachments", {})
    bare = {
        name: {member: value for member, value in entry.items() if member != "revpos"}
        for name, entry in entries.items()
    }
    return {**doc, "_attachments": bare} if entries else doc
