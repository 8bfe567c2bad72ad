"""Programs of NumPy expressions on whole arrays, one file each."""

NAMES = (
    "black_scholes",
    "softmax_xent",
    "logsumexp",
    "tanh_chain",
    "logistic_numpy",
    "mlp",
    "kalman",
    "stencil_slices",
    "gp",
    "pca_einsum",
)
