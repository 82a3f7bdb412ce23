"""Who may use the server, and from where."""
