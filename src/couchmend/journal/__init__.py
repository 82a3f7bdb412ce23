"""What couchmend remembers: conflicts, what was done about them, and every version that it took
out of a database.

The journal is one SQLite file, or a PostgreSQL.  `opening.open_journal` opens it; the other
modules are functions over one of its transactions.  Instants are integers of microseconds since
1970 (UTC).
"""
