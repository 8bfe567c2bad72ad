"""The backends: what runs emitted source."""
