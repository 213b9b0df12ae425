//! Strings: up to 14 bytes inside the value itself, longer ones behind a counted pointer.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cmp::Ordering;
use std::ptr::NonNull;

use crate::node::{FROZEN, Header};

pub const INLINE: usize = 14;

/// A string of at most 14 bytes. Two of them are equal when all their bytes are: the unused ones are 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Short {
    length: u8,
    bytes: [u8; INLINE],
}

impl Short {
    pub fn as_str(&self) -> &str {
        // SAFETY: `Str::new` copies a whole `str` of `length` bytes, at most 14
        unsafe { std::str::from_utf8_unchecked(self.bytes.get_unchecked(..self.length as usize)) }
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
        Layout::from_size_align(size_of::<LongText>() + length, align_of::<LongText>()).unwrap_or(Layout::new::<LongText>())
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

    pub fn mark_shared(&self) {
        self.head().header.mark_shared();
    }
}

impl Clone for Long {
    fn clone(&self) -> Long {
        self.head().header.retain();
        Long(self.0)
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        if self.head().header.release() {
            let layout = Long::layout(self.head().length as usize);
            // SAFETY: the last reference is gone; allocated in `new` with this layout; the head needs no drop
            unsafe { dealloc(self.0.as_ptr().cast::<u8>(), layout) }
        }
    }
}

/// A string of the language. Short and long never hold the same text.
#[derive(Clone)]
pub enum Str {
    Short(Short),
    Long(Long),
}

impl Str {
    pub fn new(text: &str) -> Str {
        if text.len() > INLINE {
            return Str::Long(Long::new(text));
        }
        let mut bytes = [0; INLINE];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Str::Short(Short { length: text.len() as u8, bytes })
    }

    pub fn empty() -> Str {
        Str::Short(Short { length: 0, bytes: [0; INLINE] })
    }

    /// Length in bytes of UTF-8.
    pub fn len_bytes(&self) -> usize {
        match self {
            Str::Short(text) => usize::from(text.length),
            Str::Long(text) => text.head().length as usize,
        }
    }

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
