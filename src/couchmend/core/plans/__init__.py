"""Plans: what would be written to resolve a conflict, or to take a resolution back."""
