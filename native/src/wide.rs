//! Unsigned integers of 256 bits: what exact products and alignments of two 34-digit coefficients need.

use std::cmp::Ordering;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct U256 {
    pub high: u128,
    pub low: u128,
}

impl PartialOrd for U256 {
    fn partial_cmp(&self, other: &U256) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for U256 {
    fn cmp(&self, other: &U256) -> Ordering {
        (self.high, self.low).cmp(&(other.high, other.low))
    }
}

impl From<u128> for U256 {
    fn from(low: u128) -> U256 {
        U256 { high: 0, low }
    }
}

/// 10^0 .. 10^38, all that fit into 128 bits.
const POWERS: [u128; 39] = {
    let mut powers = [1u128; 39];
    let mut n = 1;
    while n < 39 {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// 10^n for n <= 38.
pub fn power(n: u32) -> u128 {
    POWERS[n as usize]
}

/// 10^n for n <= 76.
pub fn wide_power(n: u32) -> U256 {
    if n <= 38 { power(n).into() } else { U256::product(power(38), power(n - 38)) }
}

impl U256 {
    pub const ZERO: U256 = U256 { high: 0, low: 0 };

    pub fn is_zero(self) -> bool {
        self.high == 0 && self.low == 0
    }

    /// Where it fits into one word.
    #[inline(always)]
    pub fn small(self) -> Option<u64> {
        if self.high == 0 { u64::try_from(self.low).ok() } else { None }
    }

    /// The exact product of two 128-bit integers.
    pub fn product(a: u128, b: u128) -> U256 {
        const MASK: u128 = u64::MAX as u128;
        if (a | b) >> 64 == 0 {
            return (a * b).into();
        }
        let (a1, a0, b1, b0) = (a >> 64, a & MASK, b >> 64, b & MASK);
        let low = a0 * b0;
        let middle = a1 * b0 + (low >> 64);
        let carried = a0 * b1 + (middle & MASK);
        U256 { high: a1 * b1 + (middle >> 64) + (carried >> 64), low: (carried << 64) | (low & MASK) }
    }

    /// The product with a 128-bit integer; the caller knows that it fits.
    pub fn times(self, factor: u128) -> U256 {
        let low = U256::product(self.low, factor);
        U256 { high: low.high.wrapping_add(self.high.wrapping_mul(factor)), low: low.low }
    }

    pub fn plus(self, other: U256) -> U256 {
        let (low, carry) = self.low.overflowing_add(other.low);
        U256 { high: self.high.wrapping_add(other.high).wrapping_add(u128::from(carry)), low }
    }

    /// self - other, where other is not the greater one.
    pub fn minus(self, other: U256) -> U256 {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        U256 { high: self.high.wrapping_sub(other.high).wrapping_sub(u128::from(borrow)), low }
    }

    fn shifted_left(self, n: u32) -> U256 {
        match n {
            0 => self,
            1..128 => U256 { high: (self.high << n) | (self.low >> (128 - n)), low: self.low << n },
            _ => U256 { high: self.low << (n - 128), low: 0 },
        }
    }

    /// By less than 64 bits.
    fn shifted_right(self, n: u32) -> U256 {
        if n == 0 {
            return self;
        }
        U256 { high: self.high >> n, low: (self.low >> n) | (self.high << (128 - n)) }
    }

    fn bits(self) -> u32 {
        if self.high != 0 { 256 - self.high.leading_zeros() } else { 128 - self.low.leading_zeros() }
    }

    /// Quotient and remainder; the divisor is not 0.
    pub fn divided(self, divisor: U256) -> (U256, U256) {
        if self.high == 0 && divisor.high == 0 {
            let quotient = self.low / divisor.low;
            return (quotient.into(), (self.low - quotient * divisor.low).into());
        }
        if divisor.high == 0 && divisor.low >> 64 == 0 {
            return self.divided_by_word(divisor.low);
        }
        if self < divisor {
            return (U256::ZERO, self);
        }
        self.divided_by_limbs(divisor)
    }

    /// As `divided`, by a divisor of two limbs or more that is not the greater one: long division in base 2^64 (Knuth's algorithm D).
    fn divided_by_limbs(self, divisor: U256) -> (U256, U256) {
        let n = divisor.bits().div_ceil(64) as usize;
        let shift = (64 * n as u32) - divisor.bits();
        let v = divisor.shifted_left(shift).limbs();
        let low = self.shifted_left(shift).limbs();
        // the top bits that the shift moves out are one more limb
        let top = if shift == 0 { 0 } else { (self.high >> (128 - shift)) as u64 };
        let mut u = [low[0], low[1], low[2], low[3], top];
        let mut quotient = [0u64; 4];
        for j in (0..=4 - n).rev() {
            let head = u128::from(u[j + n]) << 64 | u128::from(u[j + n - 1]);
            let mut guess = head / u128::from(v[n - 1]);
            let mut rest = head % u128::from(v[n - 1]);
            // at most two too many
            while guess >> 64 != 0 || guess * u128::from(v[n - 2]) > (rest << 64 | u128::from(u[j + n - 2])) {
                guess -= 1;
                rest += u128::from(v[n - 1]);
                if rest >> 64 != 0 {
                    break;
                }
            }
            if subtract_product(&mut u[j..=j + n], &v[..n], guess) {
                // still one too many, which is rare
                guess -= 1;
                add_back(&mut u[j..=j + n], &v[..n]);
            }
            quotient[j] = guess as u64;
        }
        let rest = U256::from_limbs([u[0], u[1], u[2], u[3]]);
        (U256::from_limbs(quotient), rest.shifted_right(shift))
    }

    fn limbs(self) -> [u64; 4] {
        [self.low as u64, (self.low >> 64) as u64, self.high as u64, (self.high >> 64) as u64]
    }

    fn from_limbs(limbs: [u64; 4]) -> U256 {
        let pair = |low: u64, high: u64| u128::from(low) | u128::from(high) << 64;
        U256 { low: pair(limbs[0], limbs[1]), high: pair(limbs[2], limbs[3]) }
    }

    /// As `divided`, by one limb: four divisions of 128 by 64 bits.
    fn divided_by_word(self, divisor: u128) -> (U256, U256) {
        const MASK: u128 = u64::MAX as u128;
        let mut rest = 0u128;
        let mut limb = |word: u128| {
            let part = (rest << 64) | word;
            let quotient = part / divisor;
            rest = part - quotient * divisor;
            quotient
        };
        let high = (limb(self.high >> 64) << 64) | limb(self.high & MASK);
        let low = (limb(self.low >> 64) << 64) | limb(self.low & MASK);
        (U256 { high, low }, rest.into())
    }

    /// The number of decimal digits, 0 for zero.
    pub fn digits(self) -> u32 {
        // 1233 / 4096 is a little more than log10(2), so the estimate is right or one too many
        let estimate = (self.bits() * 1233) >> 12;
        if estimate <= 76 && self < wide_power(estimate) { estimate } else { estimate + 1 }
    }
}

/// u - v x factor in place; true where that is negative, and 2^(64 x length of u) was added.
fn subtract_product(u: &mut [u64], v: &[u64], factor: u128) -> bool {
    let mut borrow = 0u128;
    for (place, limb) in u.iter_mut().zip(v.iter().chain(&[0])) {
        let product = u128::from(*limb) * factor + borrow;
        let (left, under) = place.overflowing_sub(product as u64);
        *place = left;
        borrow = (product >> 64) + u128::from(under);
    }
    borrow != 0
}

fn add_back(u: &mut [u64], v: &[u64]) {
    let mut carry = false;
    for (place, limb) in u.iter_mut().zip(v.iter().chain(&[0])) {
        let (sum, over) = place.overflowing_add(*limb);
        let (sum, over_again) = sum.overflowing_add(u64::from(carry));
        *place = sum;
        carry = over || over_again;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_undoes_multiplication() {
        let mut seed = 0x9E37_79B9_7F4A_7C15_u128;
        for round in 0..2000u32 {
            seed = seed.wrapping_mul(0xDA94_2042_E4DD_58B5).wrapping_add(0x1234_5678_9ABC_DEF1);
            let a = seed >> (round % 120);
            seed = seed.wrapping_mul(0xDA94_2042_E4DD_58B5).wrapping_add(0x1234_5678_9ABC_DEF1);
            let b = (seed >> (round % 113)) | 1;
            let rest = a % b;
            let whole = U256::product(a, b).plus(rest.into());
            assert_eq!(whole.divided(b.into()), (a.into(), rest.into()));
        }
    }

    #[test]
    fn wide_divisors_divide_as_bit_by_bit() {
        fn slow(a: U256, b: U256) -> (U256, U256) {
            let (mut quotient, mut rest) = (U256::ZERO, U256::ZERO);
            for bit in (0..256).rev() {
                let word = if bit >= 128 { a.high >> (bit - 128) } else { a.low >> bit };
                rest = rest.plus(rest).plus((word & 1).into());
                quotient = quotient.plus(quotient);
                if rest >= b {
                    rest = rest.minus(b);
                    quotient.low |= 1;
                }
            }
            (quotient, rest)
        }
        let mut seed = 1u128;
        let mut next = || {
            seed = seed.wrapping_mul(0xDA94_2042_E4DD_58B5_2360_ED05_1FC6_5DA4 | 1).wrapping_add(0x1234_5678_9ABC_DEF1);
            seed ^ seed >> 67
        };
        for round in 0..4000u32 {
            // below 2^255, as all that the numbers of the language need
            let a = U256 { high: next() >> (1 + round % 120), low: next() };
            let b = U256 { high: next() >> (1 + round % 127), low: next() | 1 };
            let b = if round % 3 == 0 { b } else { b.low.into() };
            assert_eq!(a.divided(b), slow(a, b), "{a:?} / {b:?}");
            // limbs of ones and zeros are where guesses are wrong
            let a = U256 { high: u128::MAX >> (1 + round % 64), low: u128::MAX << (round % 128) };
            let b = U256 { high: 0, low: u128::MAX << (round % 64) };
            assert_eq!(a.divided(b), slow(a, b), "{a:?} / {b:?}");
        }
    }

    #[test]
    fn digits_are_counted_at_the_powers_of_ten() {
        assert_eq!(U256::ZERO.digits(), 0);
        for n in 0..76 {
            assert_eq!(wide_power(n).digits(), n + 1, "10^{n}");
            if n > 0 {
                assert_eq!(wide_power(n).minus(1u128.into()).digits(), n, "10^{n} - 1");
            }
        }
    }
}
