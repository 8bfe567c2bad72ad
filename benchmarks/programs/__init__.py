"""Programs of loops over scalars and array elements, one file each."""

NAMES = (
    "rosenbrock",
    "newton",
    "lorenz",
    "nbody",
    "heat_rod",
    "brusselator",
    "lu_logdet",
    "gauss_seidel",
    "gmm",
    "logistic",
)
