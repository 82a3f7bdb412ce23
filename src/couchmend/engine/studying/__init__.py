"""What a database's documents are like, and the policy that follows from it."""
