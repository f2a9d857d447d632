"""The charts of the report, one file a chart, on what they share."""
