"""Records as rows: summaries over seeds, what may be compared, differences that count."""
