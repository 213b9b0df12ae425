//! Arithmetic of numbers whose coefficients fit into a word, as most do. None where they do not, or a digit would be lost: `number.rs` knows.

use crate::number::{Number, PLACES, Parts};
use crate::wide::power;

/// Numbers below this are added in words of 128 bits.
const SMALL: u128 = 1 << 100;

/// The sum of small numbers, where it is one.
pub fn add(x: Parts, y: Parts) -> Option<Number> {
    let scale = x.scale.max(y.scale);
    let aligned = |parts: Parts| {
        let up = power(scale - parts.scale);
        let coefficient = (parts.coefficient | up) >> 64 == 0;
        let units = if coefficient { parts.coefficient * up } else { SMALL };
        (units < SMALL).then_some(if parts.negative { -(units as i128) } else { units as i128 })
    };
    let sum = aligned(x)? + aligned(y)?;
    small(sum < 0, sum.unsigned_abs(), scale)
}

/// The product of small numbers, where it is one.
pub fn multiply(x: Parts, y: Parts) -> Option<Number> {
    if (x.coefficient | y.coefficient) >> 64 != 0 {
        return None;
    }
    small(x.negative != y.negative, x.coefficient * y.coefficient, x.scale + y.scale)
}

/// The number, where its coefficient fits into a word and no digit is lost.
fn small(negative: bool, coefficient: u128, scale: u32) -> Option<Number> {
    let (coefficient, scale) = normal(u64::try_from(coefficient).ok()?, scale);
    (scale <= PLACES).then(|| Number::build(negative && coefficient != 0, coefficient.into(), scale))
}

/// So many digits of a quotient are tried before all are calculated.
const FEW_PLACES: u32 = 6;

/// The quotient of small numbers, where it ends after few digits.
pub fn divide(x: Parts, y: Parts) -> Option<Number> {
    let up = power(FEW_PLACES.checked_add(y.scale)?.checked_sub(x.scale).filter(|&places| places <= 18)?);
    let numerator = u128::from(u64::try_from(x.coefficient).ok()?) * up;
    let (numerator, denominator) = (u64::try_from(numerator).ok()?, u64::try_from(y.coefficient).ok()?);
    if numerator % denominator != 0 {
        return None;
    }
    let (coefficient, scale) = normal(numerator / denominator, FEW_PLACES);
    Some(Number::build(x.negative != y.negative && coefficient != 0, coefficient.into(), scale))
}

/// Without the trailing zeros of the fraction.
#[inline]
pub fn normal(mut coefficient: u64, mut scale: u32) -> (u64, u32) {
    if coefficient == 0 {
        return (0, 0);
    }
    // what is odd has no zero at its end
    while scale >= 4 && coefficient & 0xf == 0 && coefficient % 10_000 == 0 {
        coefficient /= 10_000;
        scale -= 4;
    }
    while scale >= 1 && coefficient & 1 == 0 && coefficient % 10 == 0 {
        coefficient /= 10;
        scale -= 1;
    }
    (coefficient, scale)
}
