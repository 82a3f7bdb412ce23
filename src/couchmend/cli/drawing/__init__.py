"""Pictures for people: conflicts, their history, and what would be done about them.

Whatever a database says is hostile here: it reaches a terminal through `safe` only.
"""
