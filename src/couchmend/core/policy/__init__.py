"""Policies: which rule holds for which path, and the rules."""
