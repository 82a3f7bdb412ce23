"""The engine: finds conflicts, keeps them in the journal, and carries resolutions out."""
