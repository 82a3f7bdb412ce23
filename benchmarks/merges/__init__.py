"""How well documents are merged: what people merged, beside what programs make of it."""
