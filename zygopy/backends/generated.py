"""The module that generated functions say they are of: what Numba keeps on disk names one that can be imported."""
