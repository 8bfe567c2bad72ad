"""Passes that make IR faster and keep what it computes."""
