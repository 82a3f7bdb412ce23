"""Events turned into logs and metrics."""
