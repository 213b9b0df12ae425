"""The one exact decimal type: c x 10^-s with |c| < 10^34 and 0 <= s <= 34, normalised.

An integer of the language is a Python `int`, so the common case costs nothing; whatever has a fraction is a `Dec`. No function here
charges gas: `operators.py` and the built-ins do, before they compute.
"""

from __future__ import annotations

import re
from typing import TypeAlias, final

DIGITS = 34
PLACES = 34
BOUND = 10**DIGITS
I64_MIN = -(2**63)
I64_MAX = 2**63 - 1
MODES = ("half_even", "half_up", "half_down", "up", "down", "floor", "ceil")

_POWERS: list[int] = [10**n for n in range(2 * DIGITS + 2)]
_TEXT = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?\Z", re.ASCII)
_PLAIN = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?\Z", re.ASCII)
_WHOLE = re.compile(r"(-?)([0-9]+)\Z", re.ASCII)


class OutOfDomain(ArithmeticError):
    """The exact result is no number of the language."""


@final
class Dec:
    """A number with a fraction: `coefficient` x 10^-`scale`, scale 1..34, the coefficient no multiple of ten. Immutable."""

    __slots__ = ("coefficient", "scale")

    def __init__(self, coefficient: int, scale: int) -> None:
        self.coefficient = coefficient
        self.scale = scale

    def __repr__(self) -> str:
        return f"Dec({to_text(self)})"


Number: TypeAlias = int | Dec


def parts(x: Number) -> tuple[int, int]:
    """Coefficient and scale of any number."""
    if type(x) is Dec:
        return x.coefficient, x.scale
    return x, 0


def is_wide(x: Number) -> bool:
    """True for what is not an integer in the i64 range: such numbers cost `N`."""
    return type(x) is Dec or not I64_MIN <= x <= I64_MAX


def half_even(numerator: int, denominator: int) -> int:
    """Numerator / denominator (positive) rounded half-even to an integer."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient & 1):
        quotient += 1
    return quotient


def fit(coefficient: int, scale: int) -> Number:
    """The number coefficient x 10^-scale, a fraction rounded once, half-even, to the most digits that fit.

    Raises:
        OutOfDomain: an integer of more than 34 digits, or a fraction whose integer part has more.
    """
    coefficient, scale = _normal(coefficient, scale)
    magnitude = abs(coefficient)
    if scale <= PLACES and magnitude < BOUND:
        return Dec(coefficient, scale) if scale else coefficient
    if scale == 0:
        raise OutOfDomain
    kept = min(PLACES, scale - max(0, _length(magnitude) - DIGITS))
    if kept < 0:
        raise OutOfDomain
    coefficient, kept = _normal(half_even(coefficient, _power(scale - kept)), kept)
    if abs(coefficient) >= BOUND:
        raise OutOfDomain
    return Dec(coefficient, kept) if kept else coefficient


def exact(coefficient: int, scale: int) -> Number:
    """The number coefficient x 10^-scale itself.

    Raises:
        OutOfDomain: it is not in the domain without rounding.
    """
    coefficient, scale = _normal(coefficient, scale)
    if scale > PLACES or abs(coefficient) >= BOUND:
        raise OutOfDomain
    return Dec(coefficient, scale) if scale else coefficient


def add(a: Number, b: Number) -> Number:
    ca, sa = parts(a)
    cb, sb = parts(b)
    if sa < sb:
        return fit(ca * _POWERS[sb - sa] + cb, sb)
    return fit(ca + cb * _POWERS[sa - sb], sa)


def subtract(a: Number, b: Number) -> Number:
    ca, sa = parts(a)
    cb, sb = parts(b)
    if sa < sb:
        return fit(ca * _POWERS[sb - sa] - cb, sb)
    return fit(ca - cb * _POWERS[sa - sb], sa)


def multiply(a: Number, b: Number) -> Number:
    ca, sa = parts(a)
    cb, sb = parts(b)
    return fit(ca * cb, sa + sb)


def divide(a: Number, b: Number) -> Number:
    """A / b (not 0), rounded as `fit` rounds."""
    ca, sa = parts(a)
    cb, sb = parts(b)
    numerator, denominator = ca * _POWERS[sb], cb * _POWERS[sa]
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    whole = abs(numerator) // denominator
    if whole >= BOUND:
        raise OutOfDomain
    scale = DIGITS - (_length(whole) if whole else 0)
    coefficient, scale = _normal(half_even(numerator * _POWERS[scale], denominator), scale)
    if abs(coefficient) >= BOUND:
        raise OutOfDomain
    return Dec(coefficient, scale) if scale else coefficient


def floor_divide(a: Number, b: Number) -> Number:
    left, right, _ = aligned(a, b)
    return exact(left // right, 0)


def modulo(a: Number, b: Number) -> Number:
    left, right, scale = aligned(a, b)
    return exact(left % right, scale)


def negate(x: Number) -> Number:
    return Dec(-x.coefficient, x.scale) if type(x) is Dec else -x


def absolute(x: Number) -> Number:
    return Dec(abs(x.coefficient), x.scale) if type(x) is Dec else abs(x)


def aligned(a: Number, b: Number) -> tuple[int, int, int]:
    """The coefficients of both at their common scale, and that scale."""
    ca, sa = parts(a)
    cb, sb = parts(b)
    if sa < sb:
        return ca * _POWERS[sb - sa], cb, sb
    return ca, cb * _POWERS[sa - sb], sa


def compare(a: Number, b: Number) -> int:
    """Negative, 0 or positive, exact."""
    left, right, _ = aligned(a, b)
    return (left > right) - (left < right)


def equal(a: Number, b: Number) -> bool:
    if type(a) is Dec:
        return type(b) is Dec and a.scale == b.scale and a.coefficient == b.coefficient
    return type(b) is not Dec and a == b


def truncate(x: Number) -> int:
    """The integer part, toward zero."""
    if type(x) is Dec:
        whole: int = abs(x.coefficient) // _POWERS[x.scale]
        return -whole if x.coefficient < 0 else whole
    return x


def round_to(x: Number, places: int, mode: str) -> Number:
    """X with at most `places` (0..34) digits after the point; `mode` is one of `MODES`."""
    if type(x) is not Dec or x.scale <= places:
        return x
    return fit(_quantised(x.coefficient, _POWERS[x.scale - places], mode), places)


def fixed(x: Number, places: int) -> str:
    """X rounded half-even, written with exactly `places` digits after the point; never a negative zero."""
    coefficient, scale = parts(x)
    if scale > places:
        coefficient = half_even(coefficient, _POWERS[scale - places])
    else:
        coefficient *= _POWERS[places - scale]
    return _written(coefficient, places)


def split(units: int, n: int, places: int) -> list[Number]:
    """Make n numbers of at most `places` digits after the point that sum to `units` x 10^-places; the first ones take the remainder.

    Raises:
        OutOfDomain: a part has too many digits.
    """
    base, rest = divmod(abs(units), n)
    sign = -1 if units < 0 else 1
    small = exact(sign * base, places) if rest < n else 0
    large = exact(sign * (base + 1), places) if rest else 0
    return [large] * rest + [small] * (n - rest)


def units_of(amount: Number, places: int) -> int | None:
    """`amount` in units of 10^-places, None when it is finer."""
    coefficient, scale = parts(amount)
    return None if scale > places else coefficient * _POWERS[places - scale]


def to_text(x: Number) -> str:
    """Plain decimal, as canonical JSON has it."""
    if type(x) is Dec:
        return _written(x.coefficient, x.scale)
    return int.__repr__(x)


def from_text(text: str) -> Number:
    """The number that a JSON number text stands for; never through a binary float.

    Raises:
        ValueError: no number text.
        OutOfDomain: no number of the language.
    """
    match = _TEXT.match(text)
    if match is None:
        raise ValueError(text)
    sign, whole, fraction, exponent = match.groups()
    fraction = fraction or ""
    digits = (whole + fraction).lstrip("0")
    kept = digits.rstrip("0")
    if not kept:
        return 0
    shift = _exponent(exponent) if exponent else 0
    scale = len(fraction) - (len(digits) - len(kept)) - shift
    if scale > PLACES or len(kept) - min(scale, 0) > DIGITS:
        raise OutOfDomain
    coefficient = int(sign + kept)
    return Dec(coefficient, scale) if scale > 0 else coefficient * _POWERS[-scale]


def from_plain_text(text: str, *, fraction: bool) -> Number:
    r"""The number that a program's own text stands for: `-?[0-9]+`, with `fraction` also `(\.[0-9]+)?`.

    Raises:
        ValueError: not of that form.
        OutOfDomain: no number of the language.
    """
    match = (_PLAIN if fraction else _WHOLE).match(text)
    if match is None:
        raise ValueError(text)
    sign, whole, *rest = match.groups()
    return from_text(f"{sign}{whole.lstrip('0') or '0'}" + (f".{rest[0]}" if rest and rest[0] else ""))


def _exponent(text: str) -> int:
    """The exponent, cut where it is out of every domain anyway (a document of 1 MiB cannot bring it back)."""
    digits = text.lstrip("+-").lstrip("0")
    value = int(digits or "0") if len(digits) <= 9 else 10**9
    return -value if text[0] == "-" else value


def _normal(coefficient: int, scale: int) -> tuple[int, int]:
    """Without the trailing zeros of the fraction."""
    while scale > 0 and coefficient % 10 == 0:
        if scale >= 8 and coefficient % 100000000 == 0:
            if coefficient == 0:
                return 0, 0
            coefficient //= 100000000
            scale -= 8
        else:
            coefficient //= 10
            scale -= 1
    return coefficient, scale


def _quantised(coefficient: int, divisor: int, mode: str) -> int:
    if mode == "half_even":
        return half_even(coefficient, divisor)
    if mode == "floor":
        return coefficient // divisor
    if mode == "ceil":
        return -(-coefficient // divisor)
    quotient, rest = divmod(abs(coefficient), divisor)
    twice = 2 * rest
    if (mode == "up" and rest) or (mode == "half_up" and twice >= divisor) or (mode == "half_down" and twice > divisor):
        quotient += 1
    return -quotient if coefficient < 0 else quotient


def _written(coefficient: int, scale: int) -> str:
    if scale == 0:
        return int.__repr__(coefficient)
    digits = int.__repr__(abs(coefficient)).rjust(scale + 1, "0")
    return f"{'-' if coefficient < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def _length(magnitude: int) -> int:
    """Decimal digits of a positive integer."""
    return len(int.__repr__(magnitude))


def _power(n: int) -> int:
    return _POWERS[n] if n < len(_POWERS) else int(10**n)
