"""Three-way merge: decisions about each path on which versions of a document differ."""
