//! Values that are written as one word of 16 bytes: what is written in parts and then read as a whole makes the processor wait.

use crate::value::Value;

const BOOL: u128 = 2;
const INT: u128 = 3;
const SHORT: u128 = 5;

/// Write an integer where nothing needs a drop.
#[inline(always)]
pub fn integer(slot: &mut Value, x: i64) {
    if cfg!(target_endian = "little") {
        store(slot, u128::from(x as u64) << 64 | INT);
    } else {
        // SAFETY: the slot can be written, and what stood there needs no drop
        unsafe { std::ptr::write(slot, Value::Int(x)) };
    }
}

/// Write a bool where nothing needs a drop.
#[inline(always)]
pub fn boolean(slot: &mut Value, x: bool) {
    store(slot, u128::from(x) << 8 | BOOL);
}

/// Write a string of `length` bytes, at most 14, all others of `text` zero, where nothing needs a drop.
///
/// # Safety
/// They are UTF-8.
#[inline(always)]
pub unsafe fn short(slot: &mut Value, text: u128, length: usize) {
    store(slot, text << 16 | (length as u128) << 8 | SHORT);
}

#[inline(always)]
fn store(slot: &mut Value, word: u128) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        // SAFETY: every processor of this architecture has these instructions; the slot has 16 bytes, and the word is a value: the
        // layout of `repr(u8)` puts the kind first, 15 bytes of a short string right behind it, an integer at its alignment
        unsafe {
            let word = _mm_set_epi64x((word >> 64) as i64, word as i64);
            _mm_storeu_si128(std::ptr::from_mut(slot).cast(), word);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: as above
    unsafe {
        std::ptr::from_mut(slot).cast::<[u8; 16]>().write(word.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_value() {
        for x in [0, 1, -1, i64::MIN, i64::MAX] {
            let mut slot = Value::Unbound;
            integer(&mut slot, x);
            assert!(matches!(slot, Value::Int(y) if x == y));
        }
        // SAFETY: zeros are a value without more
        let zeros: Value = unsafe { std::mem::zeroed() };
        assert!(matches!(zeros, Value::Unbound));
        for x in [false, true] {
            let mut slot = Value::Unbound;
            boolean(&mut slot, x);
            assert!(matches!(slot, Value::Bool(y) if x == y));
        }
        for text in ["", "a", "0123456789abcd"] {
            let mut bytes = [0; 16];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            let mut slot = Value::Unbound;
            // SAFETY: that is a part of a string
            unsafe { short(&mut slot, u128::from_le_bytes(bytes), text.len()) };
            assert!(matches!((&slot, Value::text(text)), (Value::Short(a), Value::Short(b)) if *a == b));
        }
    }
}
