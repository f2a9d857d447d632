"""`make gpu-proof`: see on a GPU what the harness claims of one."""
