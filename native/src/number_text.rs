//! Numbers as text, both ways: JSON number texts, plain decimal, `fixed`.

use crate::number::{DIGITS, Number, OutOfDomain, PLACES};
use crate::wide::{U256, power};

/// So many digits fit into a word.
const CHUNK: u32 = 19;

/// The number of a sound JSON number text, or of the texts that `number()` and `int()` take.
pub fn from_text(text: &[u8]) -> Result<Number, OutOfDomain> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut digits = 0u32; // significant ones, trailing zeros included
    let mut zeros = 0u32; // of those, the zeros that are not known to be kept
    let mut coefficient = 0u128;
    let mut fraction = 0i64;
    let mut shift = 0i64;
    let mut in_fraction = false;
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            b'.' => in_fraction = true,
            b'e' | b'E' => {
                shift = exponent(&rest[at + 1..]);
                break;
            }
            digit => {
                fraction += i64::from(in_fraction);
                if digit == b'0' {
                    zeros += u32::from(digits > 0);
                    digits += u32::from(digits > 0);
                } else {
                    digits += 1;
                    if digits > DIGITS {
                        return Err(OutOfDomain);
                    }
                    coefficient = coefficient * power(zeros + 1) + u128::from(digit - b'0');
                    zeros = 0;
                }
            }
        }
        at += 1;
    }
    if coefficient == 0 {
        return Ok(Number::ZERO);
    }
    let scale = fraction - i64::from(zeros) - shift;
    if scale > i64::from(PLACES) || i64::from(digits - zeros) - scale.min(0) > i64::from(DIGITS) {
        return Err(OutOfDomain);
    }
    if scale > 0 {
        return Ok(Number::build(negative, coefficient, scale as u32));
    }
    Ok(Number::build(negative, coefficient * power(-scale as u32), 0))
}

/// The exponent, cut where it is out of every domain anyway.
fn exponent(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let value = digits.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1_000_000_000));
    if negative { -value } else { value }
}

/// Plain decimal, as canonical JSON has it.
pub fn write_text(x: Number, out: &mut Vec<u8>) {
    match x {
        Number::Int(value) => write_integer(value < 0, value.unsigned_abs(), out),
        Number::Wide(_) => {
            let parts = x.parts();
            written(parts.negative, parts.coefficient.into(), parts.scale, out);
        }
    }
}

/// The length of `to_text`.
pub fn text_size(x: Number) -> usize {
    let parts = x.parts();
    let digits = U256::from(parts.coefficient).digits().max(parts.scale + 1);
    digits as usize + usize::from(parts.negative) + usize::from(parts.scale > 0)
}

pub fn to_text(x: Number) -> String {
    let mut text = Vec::new();
    write_text(x, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

pub fn write_integer(negative: bool, mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    if negative {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

fn written(negative: bool, coefficient: U256, scale: u32, out: &mut Vec<u8>) {
    if let Some(small) = coefficient.small().filter(|_| scale < CHUNK) {
        // the whole part, the point, and the fraction with its zeros in front
        let one = power(scale) as u64;
        write_integer(negative, small / one, out);
        if scale > 0 {
            out.push(b'.');
            let start = out.len();
            out.resize(start + scale as usize, b'0');
            let mut fraction = small % one;
            for digit in out[start..].iter_mut().rev() {
                *digit = b'0' + (fraction % 10) as u8;
                fraction /= 10;
            }
        }
        return;
    }
    let mut digits = Vec::with_capacity(96);
    let mut rest = coefficient;
    while !rest.is_zero() {
        let (quotient, chunk) = rest.divided(power(CHUNK).into());
        let mut chunk = chunk.low as u64;
        for _ in 0..CHUNK {
            digits.push(b'0' + (chunk % 10) as u8);
            chunk /= 10;
        }
        rest = quotient;
    }
    while digits.len() > scale as usize + 1 && digits.last() == Some(&b'0') {
        digits.pop();
    }
    while digits.len() <= scale as usize {
        digits.push(b'0');
    }
    if negative {
        out.push(b'-');
    }
    let whole = digits.len() - scale as usize;
    out.extend(digits.iter().rev().take(whole));
    if scale > 0 {
        out.push(b'.');
        out.extend(digits.iter().rev().skip(whole));
    }
}

/// x rounded half-even, as text with exactly `places` digits after the point; never a negative zero.
pub fn fixed(x: Number, places: u32) -> String {
    let parts = x.parts();
    let coefficient = if parts.scale > places {
        let divisor = power(parts.scale - places);
        let (quotient, rest) = (parts.coefficient / divisor, parts.coefficient % divisor);
        (quotient + u128::from(rest * 2 > divisor || (rest * 2 == divisor && quotient & 1 == 1))).into()
    } else {
        U256::product(parts.coefficient, power(places - parts.scale))
    };
    let mut text = Vec::new();
    written(parts.negative && !coefficient.is_zero(), coefficient, places, &mut text);
    String::from_utf8(text).unwrap_or_default()
}
