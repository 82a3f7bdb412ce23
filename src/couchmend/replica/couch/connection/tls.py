"""Whom an https server may be, and what is wrong with the certificate of one that is refused."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from couchmend.errors import ReplicaError, UsageError
from couchmend.replica.couch.connection.address import Address
from couchmend.replica.couch.connection.options import Options

# OpenSSL's numbers (https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/).
_NOT_YET_VALID, _EXPIRED = 9, 10
_SELF_SIGNED, _SELF_SIGNED_ISSUER, _UNKNOWN_ISSUER, _UNVERIFIED = 18, 19, 20, 21
_OTHER_HOST, _OTHER_ADDRESS = 62, 64
_NO_CHECK_TIME = 0x200000
_OF_CLIENT_CERTIFICATES = ("CERTIFICATE", "HANDSHAKE_FAILURE", "ALERT_UNKNOWN_CA", "ACCESS_DENIED")
_SHOW_ONE = "client_certificate and client_key in [[servers]]"
_FOLDER_SUFFIXES = {".pem", ".crt", ".cer"}


def context(
    ca_file: Path | None, client_certificate: Path | None, client_key: Path | None
) -> ssl.SSLContext:
    """What verifies a server, and shows it who we are.

    ca_file: the certificates to trust instead of the system's, PEM; a folder stands for all
        `.pem`, `.crt` and `.cer` files in it.
    client_certificate, client_key: our own, PEM; the key may be in the certificate's file.

    Raises:
        UsageError: a file cannot be read, or is none of these.
    """
    if ca_file is None:
        made = ssl.create_default_context()
    else:
        made = ssl.create_default_context(cadata=_certificates(ca_file))
    if client_certificate is not None:
        try:
            # Without a password, the standard library would ask at the terminal.
            made.load_cert_chain(client_certificate, client_key, password=_refuse_to_ask)
        except (OSError, ValueError) as problem:
            raise UsageError(
                f"the client certificate cannot be used: {problem}",
                target=str(client_certificate),
                hint="client_certificate and client_key must be PEM files that belong together,"
                " the key without a password",
            ) from problem
    return made


def _refuse_to_ask() -> str:
    raise ValueError("the key is protected by a password")


def _certificates(place: Path) -> str:
    try:
        files = [place]
        if place.is_dir():
            files = sorted(file for file in place.iterdir() if file.suffix in _FOLDER_SUFFIXES)
        texts = [file.read_text(encoding="ascii", errors="replace") for file in files]
        found = "\n".join(text for text in texts if "-----BEGIN CERTIFICATE-----" in text)
        if not found:
            raise ValueError("there is no PEM certificate in it")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except (OSError, ValueError) as problem:
        raise UsageError(
            f"no certificates can be read: {problem}",
            target=str(place),
            hint="ca_file must be a PEM file, or a folder of them",
        ) from problem
    return found


def explain(error: ReplicaError, refused: ssl.SSLError, address: Address, options: Options) -> None:
    """Put into `error` what is wrong with a server that TLS refused, and what helps.

    The certificate is fetched once more to look at it; nothing else is sent.
    """
    reason = refused.reason or ""
    if not isinstance(refused, ssl.SSLCertVerificationError):
        if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
            error.hint = "the port does not speak TLS: is it http:// instead of https://?"
        elif any(word in reason for word in _OF_CLIENT_CERTIFICATES):
            error.hint = (
                "the server does not take our client_certificate"
                if options.shows_certificate
                else f"the server wants to see a client certificate: {_SHOW_ONE}"
            )
        else:
            error.hint = "server and client do not agree on a way to speak TLS"
        return
    certificate: dict[str, Any] = {}
    with suppress(OSError, ValueError):  # then only the hint is poorer
        certificate = _look(address, options)
    code = refused.verify_code
    if code == _EXPIRED:
        error.hint = f"the certificate ended{_on(certificate, 'notAfter')}: the server needs a new"
        error.hint += " one, or this machine's clock is wrong"
    elif code == _NOT_YET_VALID:
        error.hint = f"the certificate begins{_on(certificate, 'notBefore')}: is this machine's"
        error.hint += " clock right?"
    elif code in (_OTHER_HOST, _OTHER_ADDRESS):
        names = ", ".join(value for _, value in certificate.get("subjectAltName", ()))
        error.hint = f"the certificate is for {names or 'other names'}, not for {address.host}: use"
        error.hint += " a name that it has in the address"
    elif code in (_SELF_SIGNED, _SELF_SIGNED_ISSUER, _UNKNOWN_ISSUER, _UNVERIFIED):
        issuer = _name(certificate.get("issuer", ()))
        error.hint = (
            f"nobody trusted has signed the certificate{f' ({issuer} has)' if issuer else ''}:"
        )
        error.hint += " name the certificate to trust as ca_file in [[servers]]"


def explain_end(error: ReplicaError, options: Options) -> None:
    """Put into `error` why a connection may have ended of which nothing was ever heard.

    A server that misses a certificate says so, but only after the handshake, and ends the
    connection at once: what we were sending then may throw away what it said.
    """
    if not options.shows_certificate:
        error.hint += f"; or the server wants to see a client certificate: {_SHOW_ONE}"


def _look(address: Address, options: Options) -> dict[str, Any]:
    """The server's certificate, taken apart, whether or not it can be trusted."""
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anything.check_hostname = False
    anything.verify_mode = ssl.CERT_NONE
    with _talking(address, options, anything) as server:
        told = server.getpeercert(binary_form=True)
    # The standard library takes apart only what it trusts: trust exactly this one.
    this = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    this.check_hostname = False
    this.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    this.load_verify_locations(cadata=told or b"")
    with _talking(address, options, this) as server:
        return server.getpeercert() or {}


@contextmanager
def _talking(
    address: Address, options: Options, context: ssl.SSLContext
) -> Iterator[ssl.SSLSocket]:
    timeout = options.connect_timeout_seconds
    with (
        socket.create_connection((address.host, address.port), timeout) as plain,
        context.wrap_socket(plain, server_hostname=address.host) as secure,
    ):
        yield secure


def _on(certificate: dict[str, Any], member: str) -> str:
    return f" on {certificate[member]}" if member in certificate else ""


def _name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    values = {key: value for part in parts for key, value in part}
    return values.get("commonName") or values.get("organizationName") or ""
