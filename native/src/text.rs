//! Strings: up to 14 bytes inside the value itself, longer ones behind a counted pointer.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cmp::Ordering;
use std::ptr::NonNull;

use crate::node::{FROZEN, Header};
use crate::scan::{MASKS, chunk_at};

pub const INLINE: usize = 14;

/// A string of at most 14 bytes: its length, its bytes, zeros. So two of them are equal when all their bytes are.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Short([u8; 1 + INLINE]);

impl PartialEq for Short {
    /// Two pairs of words that overlap by a byte, rather than a call of `memcmp`.
    #[inline(always)]
    fn eq(&self, other: &Short) -> bool {
        self.words() == other.words()
    }
}

impl Eq for Short {}

impl Short {
    const EMPTY: Short = Short([0; 1 + INLINE]);

    #[inline]
    fn new(text: &str) -> Short {
        let mut bytes = [0; 1 + INLINE];
        bytes[0] = text.len() as u8;
        bytes[1..=text.len()].copy_from_slice(text.as_bytes());
        Short(bytes)
    }

    /// Of `length` bytes, at most 14, that stand at `start`: two loads and a mask where there are enough bytes around them.
    #[inline(always)]
    fn cut(bytes: &[u8], start: usize, length: usize) -> Option<Short> {
        let text = chunk_at(bytes, start)? & MASKS[length];
        let mut short = Short::EMPTY;
        short.0.copy_from_slice(&(text << 8 | length as u128).to_le_bytes()[..=INLINE]);
        Some(short)
    }

    /// Its bytes, and zeros.
    #[inline(always)]
    pub fn chunk(&self) -> u128 {
        let (low, high) = self.words();
        u128::from(high) << 48 | u128::from(low >> 8)
    }

    #[inline(always)]
    fn words(&self) -> (u64, u64) {
        let word = |bytes: Option<&[u8; 8]>| u64::from_le_bytes(bytes.copied().unwrap_or_default());
        (word(self.0.first_chunk()), word(self.0.last_chunk()))
    }

    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.0[0])
    }

    #[inline]
    pub fn as_str(&self) -> &str {
        // SAFETY: `new` copies a whole `str` of so many bytes, at most 14
        unsafe { std::str::from_utf8_unchecked(self.0.get_unchecked(1..=self.len())) }
    }
}

/// Head of a long string; its bytes follow it in memory.
#[repr(C)]
struct LongText {
    header: Header,
    /// Of the bytes.
    length: u32,
    /// In code points.
    characters: u32,
}

/// A counted reference to a long string.
pub struct Long(NonNull<LongText>);

// A string never changes, so sharing it is a matter of its count alone; see `node.rs`.
impl Long {
    fn layout(length: usize) -> Layout {
        Layout::from_size_align(size_of::<LongText>() + length, align_of::<LongText>())
            .unwrap_or(Layout::new::<LongText>())
    }

    fn new(text: &str) -> Long {
        let layout = Long::layout(text.len());
        let head = LongText {
            header: Header::new(FROZEN),
            length: text.len() as u32,
            characters: count_characters(text) as u32,
        };
        // SAFETY: the layout is that of the head and the bytes behind it; both are written before anyone reads
        unsafe {
            let Some(place) = NonNull::new(alloc(layout).cast::<LongText>()) else { handle_alloc_error(layout) };
            place.write(head);
            std::ptr::copy_nonoverlapping(text.as_ptr(), place.as_ptr().add(1).cast::<u8>(), text.len());
            Long(place)
        }
    }

    #[inline(always)]
    fn head(&self) -> &LongText {
        // SAFETY: written in `new`, freed only with the last reference
        unsafe { self.0.as_ref() }
    }

    pub fn as_str(&self) -> &str {
        // SAFETY: `length` bytes of a `str` stand behind the head
        unsafe {
            let bytes = std::slice::from_raw_parts(self.0.as_ptr().add(1).cast::<u8>(), self.head().length as usize);
            std::str::from_utf8_unchecked(bytes)
        }
    }

    /// Length in code points.
    pub fn length(&self) -> u64 {
        u64::from(self.head().characters)
    }

    #[inline(always)]
    pub fn header(&self) -> &Header {
        &self.head().header
    }

    pub fn mark_shared(&self) {
        self.head().header.mark_shared();
    }
}

impl Clone for Long {
    #[inline(always)]
    fn clone(&self) -> Long {
        self.head().header.retain();
        Long(self.0)
    }
}

impl Drop for Long {
    #[inline(always)]
    fn drop(&mut self) {
        if self.head().header.release() {
            // SAFETY: as `release` said
            unsafe { self.destroy() }
        }
    }
}

impl Long {
    /// # Safety
    /// `release` of the header said that this was the last reference, and nobody looks at it again.
    #[inline(never)]
    pub unsafe fn destroy(&self) {
        let layout = Long::layout(self.head().length as usize);
        // SAFETY: as the caller says; allocated in `new` with this layout; the head needs no drop
        unsafe { dealloc(self.0.as_ptr().cast::<u8>(), layout) }
    }
}

/// A string of the language. Short and long never hold the same text.
pub enum Str {
    Short(Short),
    Long(Long),
}

impl Clone for Str {
    /// One copy of all 16 bytes, as of a `Value`.
    #[inline(always)]
    fn clone(&self) -> Str {
        if let Str::Long(text) = self {
            std::mem::forget(text.clone());
        }
        // SAFETY: a long text was counted once more above, for this copy; all else is plain bytes
        unsafe { std::ptr::read(self) }
    }
}

impl From<Short> for Str {
    fn from(text: Short) -> Str {
        Str::Short(text)
    }
}

impl Str {
    #[inline]
    pub fn new(text: &str) -> Str {
        if text.len() > INLINE {
            return Str::Long(Long::new(text));
        }
        Str::Short(Short::new(text))
    }

    /// The string that stands in `bytes[start..end]`.
    ///
    /// # Safety
    /// That part is UTF-8.
    #[inline(always)]
    pub unsafe fn cut(bytes: &[u8], start: usize, end: usize) -> Str {
        if end - start <= INLINE {
            if let Some(short) = Short::cut(bytes, start, end - start) {
                return Str::Short(short);
            }
        }
        // SAFETY: as the caller says
        Str::new(unsafe { std::str::from_utf8_unchecked(&bytes[start..end]) })
    }

    pub fn empty() -> Str {
        Str::Short(Short::EMPTY)
    }

    /// Length in bytes of UTF-8.
    pub fn len_bytes(&self) -> usize {
        match self {
            Str::Short(text) => text.len(),
            Str::Long(text) => text.head().length as usize,
        }
    }

    #[inline]
    pub fn as_str(&self) -> &str {
        match self {
            Str::Short(text) => text.as_str(),
            Str::Long(text) => text.as_str(),
        }
    }

    /// Length in code points.
    pub fn length(&self) -> u64 {
        match self {
            Str::Short(text) => count_characters(text.as_str()) as u64,
            Str::Long(text) => text.length(),
        }
    }

    /// R: the charge for reading it. Short strings have fewer than 16 code points.
    pub fn read_charge(&self) -> u64 {
        match self {
            Str::Short(_) => 0,
            Str::Long(text) => u64::from(text.head().characters / 16),
        }
    }

    pub fn is_ascii(&self) -> bool {
        match self {
            Str::Short(text) => text.as_str().is_ascii(),
            Str::Long(text) => text.head().characters == text.head().length,
        }
    }

    pub fn mark_shared(&self) {
        if let Str::Long(text) = self {
            text.mark_shared();
        }
    }
}

impl PartialEq for Str {
    #[inline(always)]
    fn eq(&self, other: &Str) -> bool {
        match (self, other) {
            (Str::Short(a), Str::Short(b)) => a == b,
            (Str::Long(a), Str::Long(b)) => a.0 == b.0 || a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

impl Eq for Str {}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Str) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Order of code points, which is the order of UTF-8 bytes.
impl Ord for Str {
    fn cmp(&self, other: &Str) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

pub fn count_characters(text: &str) -> usize {
    text.bytes().filter(|&byte| (byte as i8) >= -0x40).count()
}
