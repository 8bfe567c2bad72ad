"""scipy.linalg.expm as a function in the language: it is followed as functions of users are.

Scaling and squaring with Padé's approximant of order 13: Higham (2005), "The scaling and squaring method for the matrix
exponential revisited". How often it squares is an integer, and no derivative goes through it.
"""

import numpy as np


def expm(a):
    norm, squarings = 0.0, 0
    for column in a.T:
        norm = max(norm, np.sum(np.abs(column)))
    while norm > 5.37 and norm < np.inf:
        norm = 0.5 * norm
        squarings += 1
    a = a / 2.0**squarings
    one = np.eye(len(a), dtype=a.dtype)
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a2 @ a4
    high = a6 + a4 * 16380.0 + a2 * 40840800.0
    low = a6 * 33522128640.0 + a4 * 10559470521600.0 + a2 * 1187353796428800.0 + one * 32382376266240000.0
    odd = a @ (a6 @ high + low)
    high = a6 * 182.0 + a4 * 960960.0 + a2 * 1323241920.0
    low = a6 * 670442572800.0 + a4 * 129060195264000.0 + a2 * 7771770303897600.0 + one * 64764752532480000.0
    even = a6 @ high + low
    result = np.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        result = result @ result
    return result
