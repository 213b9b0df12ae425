//! Many bytes at a time: where a run of plain characters of a JSON string ends.

/// Bytes that are looked at together.
pub const CHUNK: usize = 16;

/// So many bytes of a chunk, its first ones.
pub static MASKS: [u128; CHUNK + 1] = {
    let mut masks = [u128::MAX; CHUNK + 1];
    let mut length = 0;
    while length < CHUNK {
        masks[length] = (1 << (8 * length)) - 1;
        length += 1;
    }
    masks
};

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Eight bytes as a number, the first one its lowest.
#[inline]
pub fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

/// The index of the first byte from `at` on that is a quote, a backslash or a control character; the length where there is none.
#[inline]
pub fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word_at(bytes, at) {
        let found = special(word);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < bytes.len() && !is_special(bytes[at]) {
        at += 1;
    }
    at
}

/// The 16 bytes from `at` on, the first one the lowest, zeros behind the end. None at the end and where all together are fewer.
#[inline(always)]
pub fn chunk_at(bytes: &[u8], at: usize) -> Option<u128> {
    if let Some(chunk) = bytes.get(at..)?.first_chunk() {
        return Some(u128::from_le_bytes(*chunk));
    }
    let beyond = at + CHUNK - bytes.len();
    if beyond == CHUNK {
        return None;
    }
    bytes.last_chunk().map(|chunk| u128::from_le_bytes(*chunk) >> (8 * beyond))
}

/// Where the first byte of a chunk stands that is special or not ASCII, 16 where there is none.
#[inline(always)]
pub fn first_special(chunk: u128) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        // SAFETY: every processor of this architecture has these instructions, which touch no memory
        let found = unsafe {
            let bytes = _mm_set_epi64x((chunk >> 64) as i64, chunk as i64);
            let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
            let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
            // signed, so that what is not ASCII is less too
            let control = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
            _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control))
        };
        (found | 1 << 16).trailing_zeros() as usize
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let in_word = |word: u64| ((special(word) | (word & HIGH)).trailing_zeros() / 8) as usize;
        let first = in_word(chunk as u64);
        if first < 8 { first } else { 8 + in_word((chunk >> 64) as u64) }
    }
}

/// Where the first byte of a chunk stands that a JSON string must escape, 16 where there is none.
#[inline(always)]
pub fn first_escaped(chunk: u128) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        // SAFETY: as in `first_special`
        let found = unsafe {
            let bytes = _mm_set_epi64x((chunk >> 64) as i64, chunk as i64);
            let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
            let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
            let control = _mm_cmpeq_epi8(bytes, _mm_min_epu8(bytes, _mm_set1_epi8(0x1f)));
            _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control))
        };
        (found | 1 << 16).trailing_zeros() as usize
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let in_word = |word: u64| (special(word).trailing_zeros() / 8) as usize;
        let first = in_word(chunk as u64);
        if first < 8 { first } else { 8 + in_word((chunk >> 64) as u64) }
    }
}

/// As `plain_end`, and stops at what is not ASCII too.
#[inline]
pub fn ascii_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = chunk_at(bytes, at) {
        let found = first_special(chunk);
        if found < CHUNK {
            return at + found;
        }
        at += CHUNK;
    }
    while at < bytes.len() && !is_special(bytes[at]) && bytes[at].is_ascii() {
        at += 1;
    }
    at
}

#[inline]
fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The high bit of each special byte; right up to and with the lowest one, which is the one that counts.
#[inline]
fn special(word: u64) -> u64 {
    let quote = word ^ (LOW * b'"' as u64);
    let backslash = word ^ (LOW * b'\\' as u64);
    let control = word.wrapping_sub(LOW * 0x20) & !word;
    ((quote.wrapping_sub(LOW) & !quote) | (backslash.wrapping_sub(LOW) & !backslash) | control) & HIGH
}

/// Begin to load what will be read soon.
#[inline(always)]
pub fn prefetch(place: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        // SAFETY: every processor of this architecture has this instruction, which reads nothing that could be seen and never fails
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// As `prefetch`, a short text.
#[inline(always)]
pub fn prefetch_text(text: &[u8]) {
    prefetch(text.as_ptr());
    prefetch(text.as_ptr_range().end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_where_it_stands() {
        for byte in 0..=255u8 {
            for place in 0..20 {
                let mut text = vec![b'a'; 20];
                text[place] = byte;
                let expected = if is_special(byte) { place } else { 20 };
                assert_eq!(plain_end(&text, 0), expected, "byte {byte} at {place}");
                let chunk = chunk_at(&text, 0).map(first_escaped);
                assert_eq!(chunk, Some(expected.min(CHUNK)), "byte {byte} at {place}");
                let expected = if is_special(byte) || !byte.is_ascii() { place } else { 20 };
                for start in 0..=place {
                    assert_eq!(ascii_end(&text, start), expected, "byte {byte} at {place} from {start}");
                    assert_eq!(
                        ascii_end(&text[place - start..], 0) + place - start,
                        expected,
                        "a text from {start} before it"
                    );
                }
            }
        }
    }
}
