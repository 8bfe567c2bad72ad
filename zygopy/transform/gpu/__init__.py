"""Dividing a program between the host and a GPU."""
