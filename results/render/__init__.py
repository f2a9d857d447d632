"""Rows as a table for a terminal, a document or a program."""
