"""What calls of NumPy's and SciPy's functions become, on whole arrays."""
