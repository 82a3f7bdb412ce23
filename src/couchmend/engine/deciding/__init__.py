"""What people decide: a conflict as it is now, and what was done taken back."""
