"""Reading Python: from a user's function and the types of a call to IR."""
