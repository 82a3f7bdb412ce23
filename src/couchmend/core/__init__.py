"""Pure functions and values: no file, socket, clock, log or metric."""
