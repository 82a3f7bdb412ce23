"""What is read: documents, leaves, changes, listings; each answer is checked."""
