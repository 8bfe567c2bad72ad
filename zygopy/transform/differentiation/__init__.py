"""Reverse and forward mode, from IR to IR, and what the reverse part keeps."""
