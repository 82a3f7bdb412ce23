"""Conflicts: what kind they are, how weighty, and whether they may be resolved by themselves."""
