//! The one exact decimal type: c x 10^-s with |c| < 10^34 and 0 <= s <= 34, normalised.
//!
//! An integer in the i64 range is `Number::Int`, everything else `Number::Wide`. No function here charges gas.

use std::cmp::Ordering;

use crate::small;
use crate::wide::{U256, power, wide_power};

pub const DIGITS: u32 = 34;
pub const PLACES: u32 = 34;
pub const BOUND: u128 = 10_000_000_000_000_000_000_000_000_000_000_000;

/// The exact result is no number of the language.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfDomain;

/// Sign, coefficient and scale in 15 bytes: 113 bits, 6 bits and 1 bit. Never an integer in the i64 range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wide([u8; 15]);

impl Wide {
    fn pack(negative: bool, coefficient: u128, scale: u32) -> Wide {
        let word = coefficient | u128::from(scale) << 113 | u128::from(negative) << 119;
        let mut bytes = [0; 15];
        bytes.copy_from_slice(&word.to_le_bytes()[..15]);
        Wide(bytes)
    }

    fn parts(self) -> Parts {
        let mut bytes = [0; 16];
        bytes[..15].copy_from_slice(&self.0);
        let word = u128::from_le_bytes(bytes);
        Parts {
            negative: word >> 119 & 1 == 1,
            coefficient: word & ((1 << 113) - 1),
            scale: (word >> 113 & 0x3f) as u32,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    Int(i64),
    Wide(Wide),
}

/// A number taken apart: (-1)^negative x coefficient x 10^-scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub negative: bool,
    pub coefficient: u128,
    pub scale: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    HalfEven,
    HalfUp,
    HalfDown,
    Up,
    Down,
    Floor,
    Ceil,
}

impl Mode {
    pub fn named(name: &str) -> Option<Mode> {
        Some(match name {
            "half_even" => Mode::HalfEven,
            "half_up" => Mode::HalfUp,
            "half_down" => Mode::HalfDown,
            "up" => Mode::Up,
            "down" => Mode::Down,
            "floor" => Mode::Floor,
            "ceil" => Mode::Ceil,
            _ => return None,
        })
    }
}

impl Number {
    pub const ZERO: Number = Number::Int(0);

    pub fn parts(self) -> Parts {
        match self {
            Number::Int(x) => Parts { negative: x < 0, coefficient: u128::from(x.unsigned_abs()), scale: 0 },
            Number::Wide(wide) => wide.parts(),
        }
    }

    pub fn is_zero(self) -> bool {
        self == Number::ZERO
    }

    /// The integer that it is, however large; None for a fraction.
    pub fn integer(self) -> Option<i128> {
        let parts = self.parts();
        let magnitude = parts.coefficient as i128;
        (parts.scale == 0).then_some(if parts.negative { -magnitude } else { magnitude })
    }

    /// The number of normalised parts in the domain.
    pub fn build(negative: bool, coefficient: u128, scale: u32) -> Number {
        if scale == 0 {
            if !negative && coefficient <= i64::MAX as u128 {
                return Number::Int(coefficient as i64);
            }
            if negative && coefficient <= 1 << 63 {
                return Number::Int((coefficient as i64).wrapping_neg());
            }
        }
        Number::Wide(Wide::pack(negative, coefficient, scale))
    }

    pub fn from_i128(x: i128) -> Result<Number, OutOfDomain> {
        exact(x < 0, x.unsigned_abs().into(), 0)
    }

    pub fn negated(self) -> Number {
        match self {
            Number::Int(x) if x != i64::MIN => Number::Int(-x),
            _ => {
                let parts = self.parts();
                Number::build(!parts.negative, parts.coefficient, parts.scale)
            }
        }
    }

    pub fn absolute(self) -> Number {
        if self.parts().negative { self.negated() } else { self }
    }

    /// The integer part, toward zero.
    pub fn truncated(self) -> Number {
        let parts = self.parts();
        if parts.scale == 0 {
            return self;
        }
        let whole = parts.coefficient / power(parts.scale);
        Number::build(parts.negative && whole != 0, whole, 0)
    }
}

pub fn add(a: Number, b: Number) -> Result<Number, OutOfDomain> {
    if let (Number::Int(x), Number::Int(y)) = (a, b) {
        return Number::from_i128(i128::from(x) + i128::from(y));
    }
    if let Some(sum) = small::add(a.parts(), b.parts()) {
        return Ok(sum);
    }
    let (x, y, scale) = aligned(a, b);
    let (negative, sum) = signed_sum(x, y);
    fit(negative, sum, scale)
}

pub fn subtract(a: Number, b: Number) -> Result<Number, OutOfDomain> {
    add(a, b.negated())
}

pub fn multiply(a: Number, b: Number) -> Result<Number, OutOfDomain> {
    let (x, y) = (a.parts(), b.parts());
    if let Some(product) = small::multiply(x, y) {
        return Ok(product);
    }
    fit(x.negative != y.negative, U256::product(x.coefficient, y.coefficient), x.scale + y.scale)
}

/// a / b (not 0), rounded as `fit` rounds.
pub fn divide(a: Number, b: Number) -> Result<Number, OutOfDomain> {
    let (x, y) = (a.parts(), b.parts());
    if let Some(quotient) = small::divide(x, y) {
        return Ok(quotient);
    }
    let (numerator, denominator) = if y.scale >= x.scale {
        (U256::product(x.coefficient, power(y.scale - x.scale)), y.coefficient.into())
    } else {
        (x.coefficient.into(), U256::product(y.coefficient, power(x.scale - y.scale)))
    };
    let (whole, mut rest) = numerator.divided(denominator);
    if whole >= BOUND.into() {
        return Err(OutOfDomain);
    }
    let mut coefficient = whole.low;
    let scale = DIGITS - whole.digits();
    let mut wanted = scale;
    while wanted > 0 && !rest.is_zero() {
        // rest < denominator <= 10^68, so eight more digits stay below 2^256
        let step = wanted.min(8);
        let (digits, left) = rest.times(power(step)).divided(denominator);
        coefficient = coefficient * power(step) + digits.low;
        rest = left;
        wanted -= step;
    }
    coefficient *= power(wanted);
    let twice = rest.plus(rest);
    if twice > denominator || (twice == denominator && coefficient & 1 == 1) {
        coefficient += 1;
    }
    let negative = x.negative != y.negative;
    let (coefficient, scale) = normal(coefficient.into(), scale);
    if coefficient >= BOUND.into() {
        return Err(OutOfDomain);
    }
    Ok(Number::build(negative && !coefficient.is_zero(), coefficient.low, scale))
}

/// Floor of a / b (not 0), exact.
pub fn floor_divide(a: Number, b: Number) -> Result<Number, OutOfDomain> {
    if let (Number::Int(x), Number::Int(y)) = (a, b) {
        let (x, y) = (i128::from(x), i128::from(y));
        return Number::from_i128(x.div_euclid(y) - i128::from(y < 0 && x.rem_euclid(y) != 0));
    }
    let (x, y, _) = aligned(a, b);
    let (quotient, rest) = x.1.divided(y.1);
    let negative = x.0 != y.0;
    let whole = if negative && !rest.is_zero() { quotient.plus(1u128.into()) } else { quotient };
    exact(negative, whole, 0)
}

/// a - b x floor(a / b), exact; the sign is that of b.
pub fn modulo(a: Number, b: Number) -> Result<Number, OutOfDomain> {
    let (x, y, scale) = aligned(a, b);
    let (_, rest) = x.1.divided(y.1);
    let rest = if x.0 != y.0 && !rest.is_zero() { y.1.minus(rest) } else { rest };
    exact(y.0, rest, scale)
}

pub fn compare(a: Number, b: Number) -> Ordering {
    if let (Number::Int(x), Number::Int(y)) = (a, b) {
        return x.cmp(&y);
    }
    let (x, y, _) = aligned(a, b);
    match (x.0, y.0) {
        (false, false) => x.1.cmp(&y.1),
        (true, true) => y.1.cmp(&x.1),
        (negative, _) => {
            if negative {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
    }
}

/// x with at most `places` (0..34) digits after the point.
pub fn round_to(x: Number, places: u32, mode: Mode) -> Result<Number, OutOfDomain> {
    let parts = x.parts();
    if parts.scale <= places {
        return Ok(x);
    }
    let divisor = power(parts.scale - places);
    let (quotient, rest) = quotient_and_rest(parts.coefficient, divisor);
    let up = match mode {
        Mode::HalfEven => rest * 2 > divisor || (rest * 2 == divisor && quotient & 1 == 1),
        Mode::HalfUp => rest * 2 >= divisor,
        Mode::HalfDown => rest * 2 > divisor,
        Mode::Up => rest != 0,
        Mode::Down => false,
        Mode::Floor => parts.negative && rest != 0,
        Mode::Ceil => !parts.negative && rest != 0,
    };
    fit(parts.negative, (quotient + u128::from(up)).into(), places)
}

/// What `split` makes: the larger part, how often it stands first, and the smaller one. None when `amount` is finer than `places`.
pub fn split(amount: Number, n: u32, places: u32) -> Option<Result<(Number, u32, Number), OutOfDomain>> {
    let parts = amount.parts();
    if parts.scale > places {
        return None;
    }
    let units = U256::product(parts.coefficient, power(places - parts.scale));
    let (base, rest) = units.divided(u128::from(n).into());
    let rest = rest.low as u32;
    let large = if rest > 0 { exact(parts.negative, base.plus(1u128.into()), places) } else { Ok(Number::ZERO) };
    Some(large.and_then(|large| Ok((large, rest, exact(parts.negative, base, places)?))))
}

#[inline]
fn quotient_and_rest(x: u128, y: u128) -> (u128, u128) {
    if (x | y) >> 64 == 0 {
        let (x, y) = (x as u64, y as u64);
        return (u128::from(x / y), u128::from(x % y));
    }
    let quotient = x / y;
    (quotient, x - quotient * y)
}

/// The coefficients of both with their signs, at the common scale, and that scale.
fn aligned(a: Number, b: Number) -> ((bool, U256), (bool, U256), u32) {
    let (x, y) = (a.parts(), b.parts());
    let scale = x.scale.max(y.scale);
    let left = U256::product(x.coefficient, power(scale - x.scale));
    let right = U256::product(y.coefficient, power(scale - y.scale));
    ((x.negative, left), (y.negative, right), scale)
}

fn signed_sum(x: (bool, U256), y: (bool, U256)) -> (bool, U256) {
    match (x.0 == y.0, x.1.cmp(&y.1)) {
        (true, _) => (x.0, x.1.plus(y.1)),
        (false, Ordering::Less) => (y.0, y.1.minus(x.1)),
        (false, _) => (x.0, x.1.minus(y.1)),
    }
}

/// Without the trailing zeros of the fraction.
#[inline]
fn normal(coefficient: U256, scale: u32) -> (U256, u32) {
    match coefficient.small() {
        Some(small) => {
            let (small, scale) = small::normal(small, scale);
            (u128::from(small).into(), scale)
        }
        None => normal_wide(coefficient, scale),
    }
}

fn normal_wide(mut coefficient: U256, mut scale: u32) -> (U256, u32) {
    for step in [16, 4, 1] {
        while scale >= step {
            let (quotient, rest) = coefficient.divided(power(step).into());
            if !rest.is_zero() {
                break;
            }
            coefficient = quotient;
            scale -= step;
        }
    }
    (coefficient, scale)
}

/// The number, a fraction rounded once, half-even, to the most digits that fit.
fn fit(negative: bool, coefficient: U256, scale: u32) -> Result<Number, OutOfDomain> {
    let (coefficient, scale) = normal(coefficient, scale);
    let bound = BOUND.into();
    if scale <= PLACES && coefficient < bound {
        return Ok(Number::build(negative && !coefficient.is_zero(), coefficient.low, scale));
    }
    let excess = coefficient.digits().saturating_sub(DIGITS);
    if scale == 0 || scale < excess {
        return Err(OutOfDomain);
    }
    let kept = PLACES.min(scale - excess);
    let divisor = wide_power(scale - kept);
    let (mut quotient, rest) = coefficient.divided(divisor);
    let twice = rest.plus(rest);
    if twice > divisor || (twice == divisor && quotient.low & 1 == 1) {
        quotient = quotient.plus(1u128.into());
    }
    let (coefficient, scale) = normal(quotient, kept);
    if coefficient >= bound {
        return Err(OutOfDomain);
    }
    Ok(Number::build(negative && !coefficient.is_zero(), coefficient.low, scale))
}

/// The number itself, or nothing where it is not in the domain without rounding.
fn exact(negative: bool, coefficient: U256, scale: u32) -> Result<Number, OutOfDomain> {
    let (coefficient, scale) = normal(coefficient, scale);
    if scale > PLACES || coefficient >= BOUND.into() {
        return Err(OutOfDomain);
    }
    Ok(Number::build(negative && !coefficient.is_zero(), coefficient.low, scale))
}
