"""Databases that couchmend can talk to: embedded, over HTTP, and served over HTTP."""
