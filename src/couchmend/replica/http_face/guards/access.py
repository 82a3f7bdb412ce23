"""Who asks, and what they may do; the rules and words are CouchDB's.

https://docs.couchdb.org/en/stable/api/database/security.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from couchmend.core.document import JSON, Doc
from couchmend.errors import BadRequest, Forbidden, ReplicaError, Unauthorized

ADMIN = "_admin"
"""The role of server administrators."""

NOT_SERVER_ADMIN = "You are not a server admin."
NOT_DATABASE_ADMIN = "You are not a db or server admin."
NOT_MAINTAINER = "You are not a server or db admin."
NOT_SIGNED_IN = "You are not an authenticated user"
STRANGER = "You are not authorized to access this db."
OUTSIDER = "You are not allowed to access this db."


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever makes a request.  `handler` tells how they proved it, in CouchDB's words:
    `cookie`, `default` (name and password), or None."""

    name: str | None = None
    roles: tuple[str, ...] = ()
    handler: str | None = field(default=None, compare=False)

    @property
    def is_server_admin(self) -> bool:
        """Whether they may do everything."""
        return ADMIN in self.roles


def require_server_admin(actor: Actor) -> None:
    """Hold that this is a server admin; raises `Unauthorized`, as CouchDB does for anybody."""
    if not actor.is_server_admin:
        raise Unauthorized(NOT_SERVER_ADMIN)


def require_signed_in(actor: Actor) -> None:
    """Hold that somebody is signed in, or admin without; raises `Unauthorized`."""
    if actor.name is None and not actor.is_server_admin:
        raise Unauthorized(NOT_SIGNED_IN)


def require_db_member(actor: Actor, security: Mapping[str, JSON] | None) -> None:
    """Hold that the actor may read the database and write its documents.

    security: the database's security object.  Without members it is open to all; a database
        that never had one (None) is open to server admins only.

    Raises:
        Unauthorized: nobody is signed in, and not everybody may.
        Forbidden: whoever is signed in may not.
    """
    if not is_db_member(actor, security):
        raise Unauthorized(STRANGER) if actor.name is None else Forbidden(OUTSIDER)


def require_db_admin(actor: Actor, security: Mapping[str, JSON] | None) -> None:
    """Hold that the actor may change the database's design documents, indexes, security object
    and limits.  Raises like `require_db_member`."""
    require_db_member(actor, security)
    refusal = design_refusal(actor, security)
    if refusal is not None:
        raise refusal


def require_db_maintainer(actor: Actor, security: Mapping[str, JSON] | None) -> None:
    """Hold that the actor may compact the database and clean up its views: the same people as
    in `require_db_admin`, whom CouchDB turns away with other words (always `Unauthorized`)."""
    require_db_member(actor, security)
    if not is_db_admin(actor, security):
        raise Unauthorized(NOT_MAINTAINER)


def design_refusal(actor: Actor, security: Mapping[str, JSON] | None) -> ReplicaError | None:
    """Why a member may not write a design document: the row of a bulk write; None if allowed."""
    if is_db_admin(actor, security):
        return None
    kind = Unauthorized if actor.name is None else Forbidden
    return kind(NOT_DATABASE_ADMIN)


def is_db_admin(actor: Actor, security: Mapping[str, JSON] | None) -> bool:
    """Whether the actor is a server admin, or an admin of the database by name or role."""
    return actor.is_server_admin or _is_named(actor, (security or {}).get("admins"))


def is_db_member(actor: Actor, security: Mapping[str, JSON] | None) -> bool:
    """Whether the actor is an admin or a member, or everybody is."""
    if is_db_admin(actor, security):
        return True
    if security is None:
        return False
    members = security.get("members", security.get("readers", {}))
    return _is_everybody(members) or _is_named(actor, members)


def check_security(security: JSON) -> Doc:
    """Hold that this is a security object, and return it.

    Raises:
        BadRequest: not an object, or names or roles that are no lists of strings.
    """
    if not isinstance(security, dict):
        raise BadRequest("Request body must be a JSON object")
    members = security.get("members", security.get("readers", {}))
    for group in (security.get("admins", {}), members):
        if not isinstance(group, dict):
            raise BadRequest("admins or members must be a JSON list of strings")
        for kind in ("names", "roles"):
            if not _is_list_of_strings(group.get(kind, [])):
                raise BadRequest(f"{kind} must be a JSON list of strings")
    return security


def _is_named(actor: Actor, group: JSON) -> bool:
    """Whether a group of a security object has the actor; one that is damaged has nobody."""
    if not isinstance(group, dict):
        return False
    names, roles = group.get("names", []), group.get("roles", [])
    if isinstance(roles, list) and any(role in roles for role in actor.roles):
        return True
    return actor.name is not None and isinstance(names, list) and actor.name in names


def _is_everybody(members: JSON) -> bool:
    return isinstance(members, dict) and (
        members.get("names", []) == [] and members.get("roles", []) == []
    )


def _is_list_of_strings(value: JSON) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
