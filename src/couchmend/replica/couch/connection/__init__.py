"""Requests to one server and their answers: as whom, how patiently, over which connections."""

from couchmend.replica.couch.connection.connection import Connection
from couchmend.replica.couch.connection.options import Options
from couchmend.replica.couch.connection.request import Params
from couchmend.replica.couch.connection.retries import Patience
from couchmend.replica.couch.connection.stream import Stream

__all__ = ["Connection", "Options", "Params", "Patience", "Stream"]
