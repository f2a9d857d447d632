"""One file a command: it reads its options, calls what does the work, and shows the result."""
