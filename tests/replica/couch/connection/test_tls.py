"""Servers that speak TLS: whom we trust, and what is said of those whom we do not."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from couchmend import open_replica
from couchmend.errors import Unavailable, UsageError
from couchmend.replica.couch import CouchServer
from couchmend.replica.couch.connection import Connection, Options, tls
from couchmend.replica.couch.connection.retries import Retries
from couchmend.replica.couch.connection.servers import Servers
from couchmend.settings import Server
from tests.replica.scripted_server import scripted_server

INFO = b'{"db_name":"notes","doc_count":3,"update_seq":"7-abc","purge_seq":"0-x"}'


pytestmark = pytest.mark.program("openssl")


def openssl(folder: Path, *arguments: str) -> None:
    """Run the command; certificates of all kinds are its trade."""
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, and NAME.pem with NAME.key: good, other (another name), expired, later, self."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650",
        "-subj", "/CN=Our own authority", "-addext", "keyUsage=critical,keyCertSign",
    )  # fmt: skip
    (folder / "index").write_text("")
    (folder / "serial").write_text("01\n")
    (folder / "ca.conf").write_text(
        "[ca]\ndefault_ca=us\n[us]\ndir=.\ndatabase=index\nserial=serial\nnew_certs_dir=.\n"
        "certificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\npolicy=any\n"
        "copy_extensions=copy\nunique_subject=no\n[any]\ncommonName=supplied\n"
    )
    kinds = {
        "good": ("IP:127.0.0.1", "20200101000000Z", "21000101000000Z"),
        "other": ("DNS:couch.example.org,DNS:db.example.org", "20200101000000Z", "21000101000000Z"),
        "expired": ("IP:127.0.0.1", "20200101000000Z", "20210203000000Z"),
        "later": ("IP:127.0.0.1", "20900101000000Z", "21000101000000Z"),
        "client": ("DNS:client", "20200101000000Z", "21000101000000Z"),
    }
    for name, (names, begin, end) in kinds.items():
        openssl(
            folder, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr",
            "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
        )  # fmt: skip
        openssl(
            folder, "ca", "-batch", "-config", "ca.conf", "-in", f"{name}.csr", "-notext",
            "-out", f"{name}.pem", "-startdate", begin, "-enddate", end,
        )  # fmt: skip
    openssl(
        folder, "req", "-x509", *key, "-keyout", "self.key", "-out", "self.pem", "-days", "3650",
        "-subj", "/CN=self made", "-addext", "subjectAltName=IP:127.0.0.1",
    )  # fmt: skip
    return folder


@contextmanager
def tls_server(certificates: Path, name: str, *, wants_client: bool = False) -> Iterator[str]:
    """A server with the certificate of this name."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(INFO)))
            self.end_headers()
            self.wfile.write(INFO)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that do not trust it are no news."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    if wants_client:
        context.load_verify_locations(certificates / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    with Quiet(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def refused(url: str, entry: Server | None = None) -> Unavailable:
    """The error of opening a database there; there is no second attempt."""
    with pytest.raises(Unavailable) as refusal:
        open_replica(f"{url}/notes", servers=[entry] if entry else ())
    assert not refusal.value.transient
    return refusal.value


def test_a_trusted_server(certificates: Path, tmp_path: Path) -> None:
    (tmp_path / "ours.crt").write_bytes((certificates / "ca.pem").read_bytes())
    (tmp_path / "README").write_text("no certificate")
    with tls_server(certificates, "good") as url:
        for trusted in (certificates / "ca.pem", tmp_path):
            with open_replica(f"{url}/notes", servers=[Server(url=url, ca_file=trusted)]) as notes:
                assert notes.info().documents == 3


def test_an_unknown_issuer(certificates: Path) -> None:
    with tls_server(certificates, "good") as url:
        told = refused(url)
    assert "Our own authority" in told.hint
    assert "ca_file" in told.hint


def test_a_self_signed_certificate(certificates: Path) -> None:
    with tls_server(certificates, "self") as url:
        told = refused(url)
        assert "self made" in told.hint
        assert "ca_file" in told.hint
        entry = Server(url=url, ca_file=certificates / "self.pem")
        with open_replica(f"{url}/notes", servers=[entry]) as notes:
            assert notes.info().documents == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("other", ["couch.example.org, db.example.org", "127.0.0.1"]),
        ("expired", ["ended on Feb  3", "2021"]),
        ("later", ["begins on Jan  1", "2090", "clock"]),
    ],
)
def test_what_is_wrong_with_a_certificate(certificates: Path, name: str, words: list[str]) -> None:
    with tls_server(certificates, name) as url:
        told = refused(url, Server(url=url, ca_file=certificates / "ca.pem"))
    for word in words:
        assert word in told.hint
    assert told.reason.startswith("TLS failed")


def test_a_server_that_asks_for_a_certificate(certificates: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_text("".join((certificates / f"client.{end}").read_text() for end in ("pem", "key")))
    with tls_server(certificates, "good", wants_client=True) as url:
        ca = certificates / "ca.pem"
        with pytest.raises(Unavailable) as refusal:
            open_replica(f"{url}/notes", servers=[Server(url=url, ca_file=ca)])
        # The connection may end before the server's word arrives that it wants a certificate.
        assert "client_certificate" in refusal.value.hint
        for entry in (
            Server(
                url=url,
                ca_file=ca,
                client_certificate=certificates / "client.pem",
                client_key=certificates / "client.key",
            ),
            Server(url=url, ca_file=ca, client_certificate=both),
        ):
            with open_replica(f"{url}/notes", servers=[entry]) as notes:
                assert notes.info().documents == 3


@pytest.mark.parametrize("shows", [False, True])
def test_a_connection_of_which_nothing_is_heard(certificates: Path, shows: bool) -> None:
    """As of a server that misses a certificate, when what it said of that is lost."""
    entry = Server(
        url="https://127.0.0.1",
        ca_file=certificates / "ca.pem",
        client_certificate=certificates / "client.pem" if shows else None,
        client_key=certificates / "client.key" if shows else None,
    )
    options = Servers([entry], {}).options(entry.url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "good.pem", certificates / "good.key")
    answers = [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", None]

    def serve() -> None:
        while answers:
            with (
                listener.accept()[0] as plain,
                context.wrap_socket(plain, server_side=True) as client,
            ):
                while answers and client.recv(10_000):
                    if not (answer := answers.pop(0)):
                        break
                    client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve)
        serving.start()
        connection = Connection.open(
            f"https://127.0.0.1:{listener.getsockname()[1]}",
            user=None,
            password=None,
            options=replace(options, retries=Retries(attempts=1)),
        )
        with closing(connection):
            for heard in (False, True):
                if heard:
                    assert connection.answer("GET").json == {}
                with pytest.raises(Unavailable) as broken:
                    connection.answer("GET")
                assert broken.value.transient
                wanted = not heard and not shows
                assert ("client_certificate" in broken.value.hint) is wanted
        serving.join()


def test_a_port_that_does_not_speak_tls() -> None:
    with scripted_server() as server:
        told = refused(server.url.replace("http://", "https://"))
    assert "http://" in told.hint


def test_a_port_that_waits_for_plain_http() -> None:
    """It takes the first bytes of TLS for the beginning of a request, and waits for the rest."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        options = Options(connect_timeout_seconds=0.2, retries=Retries(attempts=1))
        with (
            closing(CouchServer(url, options=options)) as server,
            pytest.raises(Unavailable) as raised,
        ):
            server.names()
    assert raised.value.reason == "the server does not answer in TLS"
    assert "http://" in raised.value.hint


def test_files_that_are_no_certificates(certificates: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "broken.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )
    (tmp_path / "empty").mkdir()
    for name in ("none", "text", "broken.pem", "empty"):
        with pytest.raises(UsageError) as refusal:
            tls.context(tmp_path / name, None, None)
        assert refusal.value.target == str(tmp_path / name)
    with pytest.raises(UsageError) as refusal:
        tls.context(None, certificates / "client.pem", certificates / "good.key")
    assert "client_key" in refusal.value.hint


def test_a_key_with_a_password_is_refused_without_asking(
    certificates: Path, tmp_path: Path
) -> None:
    shutil.copy(certificates / "client.key", tmp_path)
    openssl(
        tmp_path, "pkcs8", "-topk8", "-in", "client.key", "-passout", "pass:secret", "-out", "k"
    )
    with pytest.raises(UsageError) as refusal:
        tls.context(None, certificates / "client.pem", tmp_path / "k")
    assert "password" in str(refusal.value)


def test_a_connection_cut_in_the_handshake_is_no_refusal() -> None:
    cut = 0

    def cut_off() -> None:
        nonlocal cut
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.recv(1000)  # the hello
            client.close()
            cut += 1

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listening = threading.Thread(target=cut_off)
        listening.start()
        connection = Connection.open(
            f"https://127.0.0.1:{listener.getsockname()[1]}",
            user=None,
            password=None,
            options=Options(retries=Retries(attempts=3, first_pause_seconds=0.001)),
        )
        with pytest.raises(Unavailable) as broken:
            connection.answer("GET")
        connection.close()
        listener.shutdown(socket.SHUT_RDWR)
        listening.join()
    assert broken.value.transient
    assert "client_certificate" in broken.value.hint
    assert cut == 2  # once more, as for any server that nothing was heard of yet
