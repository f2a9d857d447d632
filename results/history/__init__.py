"""Models over commits, with steps in their figures."""
