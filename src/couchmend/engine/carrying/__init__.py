"""Carrying plans out: archive, write, tombstone, verify, record."""

from couchmend.engine.carrying.carried import (
    Carried,
    DeletedSince,
    Moved,
    Refused,
    Resolved,
    Stopped,
    Unavailable,
    Unverified,
    Vetoed,
)
from couchmend.engine.carrying.carry import carry_out, carry_out_all
from couchmend.engine.carrying.site import Order, Site

__all__ = [
    "Carried",
    "DeletedSince",
    "Moved",
    "Order",
    "Refused",
    "Resolved",
    "Site",
    "Stopped",
    "Unavailable",
    "Unverified",
    "Vetoed",
    "carry_out",
    "carry_out_all",
]
