"""What to do about an answer that says no, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

TRANSIENT: Mapping[int, str] = {
    408: "the server waited too long for the request; try again",
    429: "the server asks for fewer requests: wait, or set max_requests_per_second for it in"
    " [[servers]]",
    500: "the server failed; its log says why",
    502: "a proxy does not reach the CouchDB behind it",
    503: "the server is starting, stopping or overloaded; try again",
    504: "a proxy gave up waiting for the CouchDB behind it; try again",
}
"""The statuses after which the same request may succeed."""

_TOO_LARGE = {
    "document_too_large": "a document is over the server's max_document_size ([couchdb] in its"
    " configuration)",
    "attachment_too_large": "an attachment is over the server's max_attachment_size ([couchdb] in"
    " its configuration)",
    "too_large": "the request is over the server's max_http_request_size ([chttpd] in its"
    " configuration)",
}
_NO_CREDENTIALS = (
    "give a name and a password in the address (http://name:password@host/database),"
    " in COUCHMEND_COUCHDB_USER and COUCHMEND_COUCHDB_PASSWORD, in ~/.netrc, or in [[servers]];"
    " or a token in COUCHMEND_COUCHDB_TOKEN_FILE"
)


def for_refusal(
    status: int,
    error: str,
    reason: str,
    headers: Mapping[str, str],
    credentials: str,
    *,
    of_credentials: bool,
) -> str:
    """The hint for CouchDB's own words.

    credentials: whose were sent, if any.
    of_credentials: whether it is they that were refused.
    """
    match status:
        case 400 if not of_credentials:
            return ""
        case 400 | 401 if credentials:
            return f"the server does not take {credentials}"
        case 500 if error == "doc_validation":
            return ""
        case 401:
            return _NO_CREDENTIALS
        case 403 if not credentials:
            return f"nobody is signed in: {_NO_CREDENTIALS}"
        case 403 if reason == "You are not allowed to access this db.":
            return f"{credentials} is taken, but the database's _security does not list the user"
        case 403:
            return ""
        case 405:
            return "CouchDB 3.1 or newer is needed"
        case 413 if error in _TOO_LARGE:
            document = f": {reason}" if reason and error != "too_large" else ""
            return _TOO_LARGE[error] + document
        case 413:
            return (
                "the server's limits are max_document_size, max_attachment_size and"
                " max_http_request_size in its configuration"
            )
    if 300 <= status < 400:
        return _elsewhere(headers)
    return TRANSIENT.get(status, "")


def for_something_else(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """The hint for an answer that is none of CouchDB's."""
    if 300 <= status < 400:
        return _elsewhere(headers)
    if status == 413:
        return "a proxy in between limits the size of requests (nginx: client_max_body_size)"
    if is_html(headers, body):
        return "this is a web page, no CouchDB: a proxy or a sign-in page is in the way"
    if status in TRANSIENT and not body:
        return TRANSIENT[status]
    kind = headers.get("content-type", "")
    return f"the server answered {status}{f' with {kind}' if kind else ''}: {shown(body)}"


def is_html(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a person was to read this in a browser."""
    return "html" in headers.get("content-type", "").lower() or body.lstrip()[:1] == b"<"


def shown(body: bytes) -> str:
    """The beginning of a body that nobody expected, on one line."""
    return " ".join(body[:200].decode(errors="replace").split())


def _elsewhere(headers: Mapping[str, str]) -> str:
    try:
        parts = urlsplit(headers.get("location", ""))
    except ValueError:
        parts = urlsplit("")
    host = f" to {parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
    return (
        f"the server sends us{host or ' elsewhere'}, and we do not follow: a proxy or a sign-in"
        " page may be in the way, or this is not the server's own address"
    )
