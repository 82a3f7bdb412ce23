"""What each address answers, and which address a path names."""
