"""Sweeps: through the changes of a database, into the journal, and what may be resolved is."""
