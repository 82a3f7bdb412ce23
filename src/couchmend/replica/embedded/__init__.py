"""A CouchDB-protocol database in one SQLite file."""
