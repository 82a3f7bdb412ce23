"""The command line: one function a command; rendering apart from doing."""
