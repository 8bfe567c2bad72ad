"""Programs of linear algebra: products of matrices and vectors, linear systems, determinants, Cholesky's factor."""

import numpy as np
import scipy.linalg

from tests.programs.registry import numbers, program

SYSTEM = numbers(4, 4) + 3.0 * np.eye(4)
COVARIANCE = SYSTEM @ SYSTEM.T + np.eye(4)


def tanh(a):
    """np.tanh, element by element."""
    out = np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[i, j] = np.tanh(a[i, j])
    return out


# -- products --------------------------------------------------------------------------------------------------------


@program(numbers(3, 4), numbers(4, 2, phase=1), numbers(2, 3, phase=2), smooth=True, cpu=True)
def chained_products(a, b, c):
    d = a @ b @ c
    return np.sum(d * d) + np.sum(d @ d.T)


@program(numbers(3, 3), numbers(3, phase=1), smooth=True)
def vector_products(a, x):
    y = a @ x
    z = x @ a
    return np.sum(y @ z) * np.sum(np.outer(y, z) * a) + np.dot(x, x) * np.vdot(a, a) + np.inner(y, x)


@program(numbers(3, 4), numbers(4, 3, phase=1), smooth=True, cpu=True)
def operand_overwritten(a, b):
    """A product is read again by a product after its operand has changed."""
    c = a @ b
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] = a[i, j] * a[i, j] + c[i, i]
    d = a @ b
    c[0, 1] = 2.0 * d[1, 0]
    return np.sum(c @ d)


@program(numbers(3, 3, scale=0.5), numbers(4, 3, 2, phase=1), numbers(3, 2, phase=2), smooth=True, cpu=True)
def recurrence(w, x, h):
    """Each trip makes a new matrix from the one before it."""
    for t in range(x.shape[0]):
        h = tanh(w @ h + x[t])
    return np.sum(h * h)


@program(numbers(3, 3, scale=0.5), numbers(3, 2, phase=1), smooth=True)
def recurrence_in_place(w, h):
    for _ in range(3):
        h[...] = tanh(w @ h)
    return np.sum(h * h)


@program(numbers(3, 3, scale=0.5), numbers(3, 2, phase=1), smooth=True)
def recurrence_until_large(w, h):
    k = 0
    while k < 3 and h[0, 0] < 100.0:
        h = tanh(w @ h) + h
        k += 1
    return np.sum(h * h)


@program(numbers(3, 3, scale=0.5), numbers(3, 2, phase=1), smooth=True)
def transposed_in_a_loop(w, h):
    total = 0.0
    for _ in range(3):
        h = w.T @ h
        total += np.sum((h.T @ h) @ (h.T @ w[:, :2]))
    return total


@program(numbers(3, 4), numbers(2, 3, 3), numbers(3, 4, phase=1.0), tags="linear_algebra", smooth=True, cpu=True)
def products_into_arrays(y, a, b):
    """Products added to arrays, to parts and stacks of them, to what they read, and by rows that are repeated."""
    y = y.copy()
    stack = np.zeros((2, 3, 4))
    for k in range(2):
        y += a[k] @ b
        y[1:, ::2] -= a[k, 1:, :2] @ b[:2, 1:3] * 1.0
        y[1:, ::2] -= a[k, 1:, :2] @ b[:2, 1:3]
        stack[k] += y @ (b.T @ b)
    stack += a @ y
    y[:, :3] += y[:, :3] @ a[0]
    y -= a[0, :1] @ b
    y.reshape(4, 3)[:3] -= y[:, 1:] @ a[1]
    return np.sum(tanh(y)) + np.sum(stack * stack)


@program(numbers(2, 3, 4), numbers(5, 4, 2, phase=1), smooth=True)
def stacked_products(a, b):
    c = a[:, None] @ b
    d = a @ b[0, :, 0]
    return np.sum(c * c) + np.sum(a[0] @ b[1]) + np.sum(d * d) * np.sum(b[0, :, 1] @ b)


@program(numbers(4, 6), numbers(6, 5, phase=1), smooth=True, cpu=True)
def strided_operands(a, b):
    c = a[::2, 1::2] @ b[::-2, :4]
    d = np.zeros((3, 4))
    d[::2] = c
    return np.sum(c * c) + np.sum((d.T @ d)[1:, :2] @ (b[:2, :2] @ c[:, 1:3]).T)


@program(numbers(2, 3, 4), numbers(3, 4, 2, phase=1), numbers(2, 2, phase=2), smooth=True)
def tensor_products(a, b, c):
    d = np.tensordot(a, b)
    e = np.tensordot(a, b, axes=((0, 1), (2, 0)))
    f = np.inner(a, a[0])
    return np.sum(d @ c) * np.sum(e * e) + np.sum(f * f) + np.sum(np.dot(a, b.T[0])) * np.sum(np.dot(c, a[0, :2]))


@program(numbers(2, 3, 4), numbers(2, 4, 3, phase=1), numbers(3, 3, phase=2), smooth=True)
def einsums(a, b, c):
    d = np.einsum("bij,bjk->bik", a, b)
    e = np.einsum("bij,bjk,kl->li", a, b, c)
    f = np.einsum("ij,ji", c, e)
    return np.sum(d * d) + f * np.einsum("ii->", c) + np.sum(np.einsum("ij->j", e) * np.einsum("ii->i", e))


@program(numbers(5, 4), numbers(4, 6, phase=1), numbers(6, phase=2), numbers(6, 2, phase=3), smooth=True, cpu=True)
def perceptron(x, w, b, v):
    y = tanh(x @ w + b) @ v
    return np.sum(y * y) / len(x)


@program(np.zeros((0, 3)), numbers(3, 2), np.zeros((2, 0)))
def empty_products(a, b, c):
    return np.sum(a @ b) + np.sum(b @ c) + np.sum(c @ a)


@program(numbers(3, 3), numbers(3, 3, phase=1))
def product_assigned(a, b):
    a @= b
    return np.sum(a * a) + np.sum(np.linalg.matrix_power(a, 3)) + np.sum(np.linalg.multi_dot((a, b, a)))


@program(numbers(2, 2), numbers(2, 3, phase=1), tags="float32", smooth=False)
def single_and_double(a, b):
    c = a.astype(np.float32) @ b
    return np.sum(c @ c.T)


# -- systems ---------------------------------------------------------------------------------------------------------


@program(SYSTEM, numbers(4, phase=1), numbers(4, 2, phase=2), smooth=True, cpu=True)
def systems(a, b, c):
    x = np.linalg.solve(a, b)
    y = np.linalg.solve(a.T, c)
    return np.sum(x * x) + np.sum(y * y) * x[0]


@program(np.stack([SYSTEM, SYSTEM[::-1]]), numbers(4, phase=1), numbers(4, 2, phase=2), smooth=True)
def stacked_systems(a, b, c):
    x, y = np.linalg.solve(a, b), np.linalg.solve(a, c)
    return np.sum(x * x) + np.sum(y * y)


@program(SYSTEM, smooth=True)
def inverse(a):
    b = np.linalg.inv(a)
    return np.sum(b @ b) + np.sum(np.linalg.matrix_power(a, -2))


@program(SYSTEM, numbers(4, phase=1), smooth=True)
def systems_in_a_loop(a, b):
    for _ in range(3):
        b = np.linalg.solve(a, b * b)
        a = a + np.linalg.inv(a)
    return np.sum(b)


@program(np.linalg.inv(SYSTEM) * 3.0, smooth=True, cpu=True)
def determinants(a):
    sign, log = np.linalg.slogdet(a)
    return np.linalg.det(a) + sign * log * log


@program(COVARIANCE, smooth=True, cpu=True)
def cholesky(a):
    lower, upper = np.linalg.cholesky(a), np.linalg.cholesky(a, upper=True)
    return np.sum(lower * lower * lower) + np.sum(upper @ lower)


@program(SYSTEM, numbers(4, phase=1), numbers(4, 2, phase=2), smooth=True)
def triangular_systems(a, b, c):
    x = scipy.linalg.solve_triangular(a, b, lower=True)
    y = scipy.linalg.solve_triangular(a, c)
    z = scipy.linalg.solve_triangular(a, b, trans=1)
    return np.sum(x * x * z) + np.sum(y * y)


@program(numbers(5, 2), numbers(5, phase=1), 0.5, smooth=True, cpu=True)
def gaussian_process(x, y, noise):
    n = len(x)
    k = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            d = (x[i, 0] - x[j, 0]) ** 2 + (x[i, 1] - x[j, 1]) ** 2
            k[i, j] = np.exp(-d) + (noise if i == j else 0.0)
    factor = np.linalg.cholesky(k)
    z = scipy.linalg.solve_triangular(factor, y, lower=True)
    total = 0.5 * np.dot(z, z)
    for i in range(n):
        total += np.log(factor[i, i])
    return total


@program(SYSTEM / 4.0, COVARIANCE, numbers(2, 4, phase=1), numbers(4, phase=2), smooth=True)
def kalman_filter(f, p, h, x):
    for _ in range(3):
        p = f @ p @ f.T
        s = h @ p @ h.T
        s[0, 0] += 1.0
        s[1, 1] += 1.0
        gain = np.linalg.solve(s, h @ p).T
        x = f @ x
        x = x - gain @ (h @ x)
        p = p - gain @ (h @ p)
    return np.sum(x * x) + np.sum(p)


# -- products and control flow ---------------------------------------------------------------------------------------


@program(numbers(3, 3, scale=0.5), numbers(3, 2, phase=1), smooth=True)
def buffers_swapped(w, a):
    b = np.zeros_like(a)
    for _ in range(3):
        b[...] = tanh(w @ a)
        a, b = b, a
    return np.sum(a * a)


@program(numbers(3, 3), numbers(4, 3, 2, phase=1), smooth=True, cpu=True)
def products_overwritten_in_each_trip(w, x):
    total = 0.0
    for k in range(len(x)):
        y = w @ x[k]
        y[0] = y[1] * y[0]
        z = w.T @ y
        y[...] = z * z
        total += np.sum(y @ x[k].T)
    return total


@program(numbers(3, 3), numbers(4, 3, 2, phase=1), smooth=True)
def products_in_branches(w, x):
    total = 0.0
    for k in range(len(x)):
        y = w @ x[k] if x[k, 0, 0] > 0.0 else w.T @ x[k] * 2.0
        if k % 2 == 0:
            total += np.sum((y * y) @ (w @ y).T)
    return total


@program(numbers(3, 3), numbers(2, 3, 2, phase=1), smooth=True)
def products_into_slices(w, x):
    out = np.zeros((3, 4, 2))
    for k in range(2):
        out[k + 1, :3] = w @ x[k] + out[k, :3]
        out[k, 1:] = w @ out[k + 1, :3]
    return np.sum(out * out)


@program(numbers(3, 3, scale=0.5), numbers(3, 2, phase=1), smooth=True)
def nested_recurrences(w, h):
    for _ in range(2):
        for _ in range(3):
            h = tanh(w @ h)
        w = w + 0.1 * (h @ h.T)
    return np.sum(h) + np.sum(w)
