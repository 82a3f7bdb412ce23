"""Embedded replicas as a CouchDB-compatible HTTP server."""
