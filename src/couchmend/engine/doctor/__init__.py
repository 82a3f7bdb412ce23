"""Why something is, or is not, found and resolved."""
