"""Which databases there are, which of their documents are in conflict, and what is said of each."""
