"""What is read: documents, leaves, changes, listings, queries; each answer is checked."""
