"""What is written: documents in bulk, large ones alone, each row of the answer checked."""
