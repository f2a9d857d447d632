"""Processes: the fork server, its children, their messages and their deaths."""
