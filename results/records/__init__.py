"""Records: one JSON line a run, checked as it enters, in an append-only store."""
