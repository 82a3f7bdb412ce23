"""How fast couchmend is, beside what else does the same.

`python -m benchmarks` measures and prints a table.  Speeds on shared machines wander, so
both sides are measured in one run, in turns, and their medians are set beside each other.
"""
