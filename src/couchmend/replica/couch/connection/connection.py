"""Requests to one CouchDB: sent as somebody, repeated where that is safe, answered or failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

from urllib3.exceptions import HTTPError

from couchmend.core.document import Doc
from couchmend.errors import ReplicaError, Unauthorized
from couchmend.replica.couch.connection import failures, tls
from couchmend.replica.couch.connection.address import Address
from couchmend.replica.couch.connection.answers import Answer
from couchmend.replica.couch.connection.authentication import Authentication, Basic, Nobody
from couchmend.replica.couch.connection.exchange import Exchange
from couchmend.replica.couch.connection.lifetime import Lifetime
from couchmend.replica.couch.connection.options import Options
from couchmend.replica.couch.connection.request import Params, Request, with_params
from couchmend.replica.couch.connection.retries import Patience
from couchmend.replica.couch.connection.stream import Stream
from couchmend.replica.couch.connection.throttle import Throttle
from couchmend.replica.couch.connection.transport import Body, Transport

T = TypeVar("T")

_JSON_TYPE = "application/json"
_FORM_TYPE = "application/x-www-form-urlencoded"
_READING = {"GET", "HEAD"}
_MOST_BYTES_OF_A_REFUSAL = 1 << 20
_FIRST_ATTEMPTS = 2
"""While nothing was ever heard of the server: the address may be wrong, and somebody waits."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """A request without a good answer.  `untouched` tells that it was certainly not begun,
    `refused` that the server said no; else nobody knows what was done.  `unsent` tells that no
    byte of it was sent.  `refused_as` are the headers that the server answered 401 to."""

    error: ReplicaError
    untouched: bool = False
    refused: bool = False
    unsent: bool = False
    refused_as: Mapping[str, str] | None = field(default=None, repr=False)


class Connection:
    """A server, or one database of it.  Usable from several threads at once."""

    def __init__(
        self, address: Address, options: Options, server: Connection | None = None
    ) -> None:
        self.url = address.url
        self.database_name: str | None = None
        self._address = address
        self._options = options
        self._server = server or self
        self._lifetime: Lifetime = Lifetime(server._lifetime if server else None)
        self._owned: Connection | None = None
        self._transport: Transport = server._transport if server else Transport(address, options)
        self._authentication: Authentication = (
            server._authentication if server else options.authentication or _of(address)
        )
        self._throttle: Throttle = server._throttle if server else options.throttle or Throttle()
        self._greeting: Doc | None = None
        self._answered = False

    @classmethod
    def open(
        cls, url: str, *, user: str | None, password: str | None, options: Options | None
    ) -> Self:
        """A connection to the server at `url`; nothing is sent yet.

        Raises:
            UsageError: no address of a server.
        """
        return cls(_address(url, user, password), options or Options())

    @classmethod
    def open_database(
        cls, url: str, *, user: str | None, password: str | None, options: Options | None
    ) -> Connection:
        """A connection to the database that the last segment of `url` names.

        Raises:
            UsageError: no address of a database.
        """
        address, name = _address(url, user, password).split_database()
        server = cls(address, options or Options())
        database = server.database(name)
        database._owned = server
        return database

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    @property
    def server(self) -> Connection:
        """The same connection, for requests to the server that the database is on."""
        return self._server

    def database(self, name: str) -> Connection:
        """The same connection, for the requests of one database."""
        connection = Connection(self._address.beneath(name), self._options, self._server)
        connection.database_name = name
        return connection

    def close(self) -> None:
        """Close what this opened; whoever waits to try again gives up."""
        self._lifetime.end()
        if self._owned is not None:
            self._owned.close()
        elif self._server is self:
            self._transport.close()

    def answer(
        self,
        method: str,
        path: str = "",
        *,
        params: Params | None = None,
        body: Body | None = None,
        content_type: str = _JSON_TYPE,
        repeatable: bool | None = None,
    ) -> Answer:
        """Ask for something; `path` is relative to this and percent-encoded.

        repeatable: whether the request may be sent again when nobody knows if it was carried
            out; by default only when it merely reads.  One that was certainly not carried
            out is repeated in any case.

        Raises:
            ReplicaError: of the class that fits, whatever went wrong, when trying again does
                not help either.
        """
        headers = {"accept": _JSON_TYPE, "accept-encoding": "gzip"}
        request = self._request(method, path, params, body, content_type, repeatable, headers)
        request = replace(request, total_seconds=self._options.answer_timeout_seconds)
        return self._carry_out(request, Stream.whole_answer)

    def stream(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Body | None = None,
        content_type: str = _JSON_TYPE,
        repeatable: bool | None = None,
        read_timeout_seconds: float | None = None,
        accept: str = "*/*",
        gzip: bool = False,
        patience: Patience | None = None,
    ) -> Stream:
        """Ask for something large or endless; as `answer` does, up to where the body begins.

        The body's own failures are for the reader.
        patience: of a reader who asks again after them, so that both share their attempts.
        """
        headers = {"accept": accept, "accept-encoding": "gzip" if gzip else "identity"}
        request = self._request(method, path, params, body, content_type, repeatable, headers)
        request = replace(request, silence_seconds=read_timeout_seconds)
        return self._carry_out(request, lambda stream: stream, patience=patience)

    def patience(self) -> Patience:
        """The attempts of somebody who goes on by himself with what broke off."""
        return Patience(self._options.retries, self._sleep)

    def greeting(self) -> Doc:
        """What the server says of itself (`GET /`), asked once; nothing if it does not tell."""
        server = self._server
        if server._greeting is None:
            try:
                server._greeting = server.answer("GET").json_object
            except ReplicaError as problem:
                if problem.transient:
                    raise
                server._greeting = {}  # a proxy that lets only databases through
        return server._greeting

    def _request(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: Body | None,
        content_type: str,
        repeatable: bool | None,
        headers: Mapping[str, str],
    ) -> Request:
        shown = {"user-agent": "couchmend", **headers}
        if body is not None:
            shown["content-type"] = content_type
        return Request(
            method=method,
            path=with_params(self._address.path, path, params),
            target=f"{self.url}/{path}" if path else self.url,
            headers=shown,
            body=body,
            repeatable=method in _READING if repeatable is None else repeatable,
            is_upload=body is not None
            and (content_type != _JSON_TYPE or not isinstance(body, bytes)),
        )

    def _carry_out(
        self,
        request: Request,
        receive: Callable[[Stream], T],
        *,
        patience: Patience | None = None,
        authentication: Authentication | None = None,
    ) -> T:
        """Every request passes here: again and again, as long as that is safe and helps."""
        patience = patience or self.patience()
        who = authentication or self._authentication
        signed_in_anew = False
        while True:
            outcome = self._once(request, who)
            if isinstance(outcome, Stream):
                try:
                    return receive(outcome)
                except ReplicaError as problem:
                    outcome = _Failed(problem)
            if not (outcome.untouched or outcome.refused or request.repeatable):
                failures.add_unknown_outcome(outcome.error)
                raise outcome.error
            if not (outcome.unsent or request.can_be_sent_again):
                raise outcome.error
            if outcome.refused_as is not None and not signed_in_anew:
                signed_in_anew = True
                if who.refused(outcome.refused_as):
                    continue
            patience.wait(outcome.error, None if self._server._answered else _FIRST_ATTEMPTS)

    def _once(self, request: Request, who: Authentication) -> Stream | _Failed:
        """Send it once, as soon as it is its turn."""
        credentials = who.headers(self._sign_in, self._check)
        self._throttle.wait(self._sleep)
        outcome = self._send(request, credentials, who.source)
        if isinstance(outcome, Stream):
            who.heard(outcome.headers)
        return outcome

    def _send(
        self, request: Request, credentials: Mapping[str, str], source: str
    ) -> Stream | _Failed:
        about = {"operation": request.method, "target": request.target}
        if self._lifetime.ended:
            raise failures.closed(**about)
        exchange = self._exchange(request)
        try:
            response = self._transport.request(
                request.method,
                request.path,
                request.body,
                {**request.headers, **credentials},
                exchange,
            )
        except HTTPError as problem:
            error = failures.unreachable(problem, **about)
            if (refused := failures.of_tls(problem)) is not None:
                tls.explain(error, refused, self._address, self._options)
            elif self._address.scheme == "https" and not exchange.heard and failures.ended(problem):
                tls.explain_end(error, self._options)
            error.__cause__ = problem
            unsent = failures.untouched(problem)
            return _Failed(error, untouched=unsent, unsent=unsent)
        self._server._answered = True
        uncertain = not request.repeatable
        stream = Stream(response, request.method, request.target, uncertain=uncertain)
        if response.status < 300:
            return stream
        try:
            told = stream.beginning(_MOST_BYTES_OF_A_REFUSAL)
        except ReplicaError as problem:
            return _Failed(problem)
        refusal = failures.refusal(
            response.status,
            response.headers,
            told,
            database=self.database_name,
            credentials=source,
            **about,
        )
        if refusal.retry_after_seconds is not None:
            # No longer than we would wait ourselves: the server's clock may be wrong.
            longest = self._options.retries.longest_retry_after_seconds
            self._throttle.hold(min(refusal.retry_after_seconds, longest))
        not_let_in = isinstance(refusal, Unauthorized)
        return _Failed(
            refusal,
            untouched=not_let_in or response.status == 429,
            refused=not refusal.transient,
            refused_as=credentials if not_let_in else None,
        )

    def _exchange(self, request: Request) -> Exchange:
        own = request.silence_seconds
        return Exchange(
            self._options.read_timeout_seconds if own is None else own,
            request.total_seconds,
            silence_setting="read_timeout_seconds" if own is None else "",
            upload=request.is_upload,
        )

    def _sign_in(self, form: bytes) -> Mapping[str, str]:
        """Start a session: the one request that is made as nobody."""
        path = f"{self._server._address.path}/_session"
        request = Request(
            method="POST",
            path=path,
            target=f"{self._server.url}/_session",
            headers={"accept": _JSON_TYPE, "content-type": _FORM_TYPE, "user-agent": "couchmend"},
            body=form,
            repeatable=True,
            total_seconds=self._options.answer_timeout_seconds,
        )
        nobody = Nobody(self._authentication.source)
        answer = self._carry_out(request, Stream.whole_answer, authentication=nobody)
        return answer.headers

    def _sleep(self, seconds: float) -> None:
        self._lifetime.sleep(seconds)
        self._check()

    def _check(self) -> None:
        if self._lifetime.ended:
            raise failures.closed(operation="", target=self.url)


def _of(address: Address) -> Authentication:
    if address.user is None:
        return Nobody()
    return Basic(address.user, address.password or "", "this name and password")


def _address(url: str, user: str | None, password: str | None) -> Address:
    address = Address.parse(url)
    return address if user is None else replace(address, user=user, password=password)
