"""`python -m couchmend` is `couchmend`."""

from couchmend.cli import main

main()
