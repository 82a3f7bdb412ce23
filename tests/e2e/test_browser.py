"""PouchDB in a browser's console syncs with `couchmend replica serve`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from couchmend.replica.embedded import Folder
from tests.e2e.conftest import Serve
from tests.e2e.devices import CHROMIUM, OPTIONS, page_origin

CONSOLE = """
async ({url, user}) => {
  try {
  const auth = user ? {username: user[0], password: user[1]} : undefined;
  const local = new PouchDB('notes');
  const remote = new PouchDB(url + '/notes', {auth});
  await local.put({_id: 'from-the-browser', text: 'é中😀'});
  const blob = new Blob(['bytes of the browser'], {type: 'application/octet-stream'});
  await local.putAttachment('picture', 'p.bin', blob, blob.type);
  await PouchDB.sync(local, remote);
  const ids = (await local.allDocs()).rows.map((row) => row.id);
  const blobBack = await local.getAttachment('from-the-server', 'a.bin');
  return {ids, text: await blobBack.text()};
  } catch (problem) {  // PouchDB's errors are no Error objects
    throw new Error(problem.message + ' ' + JSON.stringify(problem));
  }
}
"""

pytestmark = [pytest.mark.browser, pytest.mark.node]


@pytest.fixture
def origin() -> Iterator[str]:
    """Where a page with PouchDB comes from: another origin than the database's."""
    with page_origin() as origin:
        yield origin


def in_console(origin: str, url: str, user: tuple[str, str] | None) -> dict[str, object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        try:
            page = browser.new_page()
            page.goto(f"{origin}/")
            page.add_script_tag(url="/pouchdb.min.js")
            seen: dict[str, object] = page.evaluate(CONSOLE, {"url": url, "user": user})
            return seen
        finally:
            browser.close()


def a_database(folder: Path) -> None:
    databases = Folder(folder)
    notes = databases.create("notes")
    notes.put_attachment("from-the-server", "a.bin", b"bytes of the server", "x/x")
    databases.close()


def test_a_page_of_a_listed_origin_syncs(serve: Serve, folder: Path, origin: str) -> None:
    a_database(folder)
    url = serve("--cors-origin", origin).url
    seen = in_console(origin, url, None)
    assert seen == {
        "ids": ["from-the-browser", "from-the-server", "picture"],
        "text": "bytes of the server",
    }
    databases = Folder(folder)
    notes = databases.open("notes")
    assert notes.get("from-the-browser")["text"] == "é中😀"
    assert notes.attachment("picture", "p.bin").read() == b"bytes of the browser"
    databases.close()


def test_a_page_of_another_origin_is_kept_out(serve: Serve, folder: Path, origin: str) -> None:
    a_database(folder)
    url = serve("--cors-origin", "http://127.0.0.1:1").url
    with pytest.raises(Exception, match="Failed to fetch"):
        in_console(origin, url, None)
    databases = Folder(folder)
    assert [row.id for row in databases.open("notes").all_docs().rows] == ["from-the-server"]
    databases.close()
