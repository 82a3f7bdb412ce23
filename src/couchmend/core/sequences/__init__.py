"""Algorithms on lists and strings: differences, orders, three-way merges."""
