"""How one version of the journal becomes the next, and back; run by `journal.upgrading`."""
