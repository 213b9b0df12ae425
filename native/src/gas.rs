//! The gas counter of one call and its units of account (`docs/language.md`, section 7).
//!
//! The counter starts at the limit; a charge beyond what is left ends the call with `out_of_gas`, gas used = limit.

use crate::failure::{Halt, fail};
use crate::value::Value;

/// N: a number among the operands is not an integer in the i64 range.
pub const WIDE: u64 = 8;

pub struct Meter {
    limit: u64,
    left: u64,
}

impl Meter {
    pub fn new(limit: u64) -> Meter {
        Meter { limit, left: limit }
    }

    pub fn used(&self) -> u64 {
        self.limit - self.left
    }

    #[inline(always)]
    pub fn charge(&mut self, amount: u64) -> Result<(), Halt> {
        if amount <= self.left {
            self.left -= amount;
            return Ok(());
        }
        Err(self.spent())
    }

    /// As `charge`, by who can do without.
    #[inline(always)]
    pub fn take(&mut self, amount: u64) -> Option<()> {
        self.left = self.left.checked_sub(amount)?;
        Some(())
    }

    #[inline(always)]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// What was left before something that is done another way.
    #[inline(always)]
    pub fn set_left(&mut self, left: u64) {
        self.left = left;
    }

    /// As `charge`, which is done later.
    #[inline]
    pub fn check(&mut self, amount: u64) -> Result<(), Halt> {
        if amount <= self.left { Ok(()) } else { Err(self.spent()) }
    }

    /// The charge of n for something too large to count it one by one; beyond every limit it is out of gas all the same.
    pub fn charge_wide(&mut self, amount: u128) -> Result<(), Halt> {
        self.charge(u64::try_from(amount).unwrap_or(u64::MAX))
    }

    #[cold]
    #[inline(never)]
    fn spent(&mut self) -> Halt {
        self.left = 0;
        fail("out_of_gas.spent").count("limit", self.limit).into()
    }
}

/// R: a string is read; what is no string costs nothing.
#[inline]
pub fn read(value: &Value) -> u64 {
    match value {
        Value::Long(text) => text.length() / 16,
        _ => 0,
    }
}

/// K: look-up or write in a map of n entries.
#[inline]
pub fn lookup(n: usize) -> u64 {
    1 + bit_length(n)
}

#[inline]
pub fn bit_length(n: usize) -> u64 {
    u64::from(usize::BITS - n.leading_zeros())
}

/// N for one or two operands.
#[inline]
pub fn wide(a: &Value, b: &Value) -> u64 {
    if matches!(a, Value::Wide(_)) || matches!(b, Value::Wide(_)) { WIDE } else { 0 }
}

/// M
#[inline]
pub fn made_string(n: u64) -> u64 {
    2 + n / 8
}

/// L
#[inline]
pub fn made_list(n: u64) -> u64 {
    4 + n
}

/// D
#[inline]
pub fn made_map(n: u64) -> u64 {
    8 + 2 * n
}
