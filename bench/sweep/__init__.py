"""From a request to records: configurations, child processes, the store."""
