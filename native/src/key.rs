//! Keys of maps that are being read, quick to compare.

/// A key, its first eight bytes as a number in front, so that most comparisons need no call.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    pub head: u64,
    pub bytes: &'a [u8],
    /// Where it stands in its text.
    pub start: usize,
}

impl<'a> Key<'a> {
    pub const NONE: Key<'static> = Key { head: 0, bytes: b"", start: 0 };

    pub fn of(bytes: &'a [u8]) -> Key<'a> {
        let mut head = [0; 8];
        let length = bytes.len().min(8);
        head[..length].copy_from_slice(&bytes[..length]);
        Key { head: u64::from_be_bytes(head), bytes, start: 0 }
    }

    #[inline]
    pub fn is(self, head: u64, bytes: &[u8]) -> bool {
        self.head == head && self.bytes.len() == bytes.len() && (bytes.len() <= 8 || self.bytes == bytes)
    }

    #[inline]
    pub fn is_after(self, other: Key<'_>) -> bool {
        if self.head == other.head { self.bytes > other.bytes } else { self.head > other.head }
    }
}
