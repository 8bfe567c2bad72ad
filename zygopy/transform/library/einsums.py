"""np.einsum: pairs of operands are contracted from left to right, as products of matrices where they are such.

ij,jk->ik     a matrix product            bij,bjk->bik    a stack of them
ij,ij->       a loop nest                 ii->            a loop nest over one operand
"""

import string
from dataclasses import dataclass

from zygopy.errors import ShapeError
from zygopy.transform import ops
from zygopy.transform.ir import Value
from zygopy.transform.library import products, reductions
from zygopy.transform.library.shaping import note_view, reshape
from zygopy.transform.reading import arrays
from zygopy.transform.reading.values import View
from zygopy.transform.types import Scalar


@dataclass(frozen=True)
class _Term:
    """An operand with a letter for each axis; a number once all its axes are summed."""

    letters: str
    view: View | Value


def einsum(s, subscripts: str, views: list[View]) -> View | Value:
    """The sum of products that the subscripts name."""
    terms, output = _parse(s, subscripts, views)
    lengths = _lengths(s, terms)
    while len(terms) > 1:
        first, second, *rest = terms
        later = set(output).union(*(t.letters for t in rest))
        terms = [
            _pair(
                s,
                _alone(s, first, later | set(second.letters), lengths),
                _alone(s, second, later | set(first.letters), lengths),
                later,
                lengths,
            ),
            *rest,
        ]
    (term,) = terms
    if len(views) > 1 or set(term.letters) != set(output):
        return _single(s, term, output, lengths)
    if len(term.letters) == len(output):
        return products.permuted(term.view, [term.letters.index(c) for c in output])
    return note_view(s, _single(s, term, output, lengths), term.view)


def _parse(s, subscripts: str, views: list[View]) -> tuple[list[_Term], str]:
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    parts = inputs.split(",")
    if len(parts) != len(views):
        raise ShapeError(f"np.einsum names {len(parts)} operands and is given {len(views)}", s.loc)
    if arrow and "..." in inputs and "..." not in output:
        raise ShapeError("np.einsum sums no axes of an ellipsis", s.loc, help="write ... in the output too")
    parts, output, spread = _with_axes_named(parts, output, views)
    for letters, view in zip(parts, views, strict=True):
        if len(letters) != view.ndim:
            raise ShapeError(f"np.einsum names {len(letters)} axes {letters!r} of an array that has {view.ndim}", s.loc)
    every = "".join(parts)
    if not arrow:
        output = spread + "".join(sorted(c for c in set(every) - set(spread) if every.count(c) == 1))
    if len(set(output)) != len(output) or not set(output) <= set(every) or not (every + output).isalpha():
        raise ShapeError(f"the subscripts {subscripts!r} of np.einsum do not fit together", s.loc)
    return [_Term(letters, view) for letters, view in zip(parts, views, strict=True)], output


def _with_axes_named(parts: list[str], output: str, views: list[View | Value]) -> tuple[list[str], str, str]:
    """Subscripts with letters in place of each ellipsis, and all these letters. They stand for equal lengths."""
    counts = [v.ndim - len(p) + 3 for p, v in zip(parts, views, strict=True) if "..." in p]
    if not counts:
        return parts, output, ""
    free = [c for c in string.ascii_letters if c not in "".join(parts) + output]
    letters = "".join(free[: max(counts)])

    def named(part: str, ndim: int) -> str:
        n = ndim - len(part) + 3
        return part.replace("...", letters[len(letters) - n :], 1) if n >= 0 else part

    found = [named(p, v.ndim) if "..." in p else p for p, v in zip(parts, views, strict=True)]
    return found, output.replace("...", letters, 1), letters


def _lengths(s, terms: list[_Term]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for term in terms:
        for letter, n in zip(term.letters, term.view.shape, strict=True):
            if letter in found:
                arrays.same_length(s, found[letter], n)
            else:
                found[letter] = s.canonical(n)
    return found


def _element(s, term: _Term, at: dict[str, Value]) -> Value:
    if not isinstance(term.view, View):
        return term.view
    return products.element(s, term.view, tuple(at[c] for c in term.letters))


def _single(s, term: _Term, output: str, lengths: dict[str, Value]) -> View | Value:
    """Sums, diagonals and transposes of one operand."""
    if not isinstance(term.view, View):
        return term.view
    summed = "".join(dict.fromkeys(c for c in term.letters if c not in output))
    if term.letters == output:  # whose letters differ
        return term.view
    type_ = products.result_type(s, term.view)

    def at(kept):
        places = dict(zip(output, kept, strict=True))
        if not summed:
            return _element(s, term, places)
        return reductions.total(
            s,
            tuple(lengths[c] for c in summed),
            lambda ks: _element(s, term, places | dict(zip(summed, ks, strict=True))),
            type_,
        )

    return arrays.build(s, tuple(lengths[c] for c in output), at)


def _alone(s, term: _Term, needed: set[str], lengths: dict[str, Value]) -> _Term:
    """A term without repeated letters, and summed over those that nothing else names."""
    kept = "".join(c for c in dict.fromkeys(term.letters) if c in needed)
    return term if kept == term.letters else _Term(kept, _single(s, term, kept, lengths))


def _pair(s, a: _Term, b: _Term, later: set[str], lengths: dict[str, Value]) -> _Term:
    """The product of two terms, summed over what is not needed later."""
    batch = "".join(c for c in a.letters if c in b.letters and c in later)
    summed = "".join(c for c in a.letters if c in b.letters and c not in later)
    left = "".join(c for c in a.letters if c not in b.letters)
    right = "".join(c for c in b.letters if c not in a.letters)
    kept = batch + left + right
    views = [t.view for t in (a, b) if isinstance(t.view, View)]
    type_ = products.result_type(s, *views) if views else Scalar(a.view.type.dtype)
    if type_.is_inexact and summed and left and right:
        return _Term(kept, _matrices(s, a, b, (batch, left, summed, right), lengths))

    def at(ks):
        places = dict(zip(kept, ks, strict=True))

        def product(inner: dict[str, Value]) -> Value:
            x, y = _element(s, a, places | inner), _element(s, b, places | inner)
            return s.b.cast(s.b.apply(ops.MUL, x, y), type_)

        if not summed:
            return product({})
        sums = tuple(lengths[c] for c in summed)
        return reductions.total(s, sums, lambda ks: product(dict(zip(summed, ks, strict=True))), type_)

    return _Term(kept, arrays.build(s, tuple(lengths[c] for c in kept), at))


def _matrices(s, a: _Term, b: _Term, letters: tuple[str, str, str, str], lengths: dict[str, Value]) -> View:
    """A pair as products of matrices, one for each index of the letters that both sides keep."""
    batch, left, summed, right = letters
    sizes = [1] * len(batch)
    x = _arranged(s, a, batch + left + summed, (*sizes, len(left), len(summed)))
    y = _arranged(s, b, batch + summed + right, (*sizes, len(summed), len(right)))
    result = products.stacked_matrices(s, x, y) if batch else products.matrices(s, x, y)
    if len(left) == len(right) == 1:
        return result
    return reshape(s, result, tuple(lengths[c] for c in batch + left + right))


def _arranged(s, term: _Term, letters: str, sizes: tuple[int, ...]) -> View:
    view = products.permuted(term.view, [term.letters.index(c) for c in letters])
    return products.grouped(s, view, sizes)
