"""What it takes to run the code of a user's own model."""
