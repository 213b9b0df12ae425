//! Loaded programs by the digest of their IR: the least recently used go first, bounded by count and by bytes.

use std::collections::HashMap;

const MAX_PROGRAMS: usize = 512;
/// Bytes of IR whose programs are kept.
const MAX_BYTES: usize = 32 * 1024 * 1024;

pub type Digest = [u8; 32];

struct Kept<T> {
    item: T,
    size: usize,
    used: u64,
}

pub struct Cache<T> {
    kept: HashMap<Digest, Kept<T>>,
    bytes: usize,
    clock: u64,
}

impl<T> Cache<T> {
    pub fn new() -> Cache<T> {
        Cache { kept: HashMap::new(), bytes: 0, clock: 0 }
    }

    pub fn get(&mut self, digest: &Digest) -> Option<&T> {
        self.clock += 1;
        let kept = self.kept.get_mut(digest)?;
        kept.used = self.clock;
        Some(&kept.item)
    }

    /// Keep an item; gives back what had to go, for the caller to drop.
    pub fn put(&mut self, digest: Digest, item: T, size: usize) -> Vec<T> {
        self.clock += 1;
        let kept = Kept { item, size, used: self.clock };
        self.bytes += size;
        let mut gone: Vec<Kept<T>> = self.kept.insert(digest, kept).into_iter().collect();
        self.bytes -= gone.iter().map(|kept| kept.size).sum::<usize>();
        while self.kept.len() > MAX_PROGRAMS || (self.bytes > MAX_BYTES && self.kept.len() > 1) {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(digest, _)| *digest);
            let Some(kept) = oldest.and_then(|digest| self.kept.remove(&digest)) else { break };
            self.bytes -= kept.size;
            gone.push(kept);
        }
        gone.into_iter().map(|kept| kept.item).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut cache = Cache::new();
        let digest = |n: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&n.to_le_bytes());
            digest
        };
        for n in 0..MAX_PROGRAMS {
            assert!(cache.put(digest(n), n, 1).is_empty());
        }
        assert_eq!(cache.get(&digest(0)), Some(&0));
        assert_eq!(cache.put(digest(9999), 9999, 1), vec![1]);
        let gone = cache.put(digest(10000), 10000, MAX_BYTES);
        assert_eq!(gone.len(), MAX_PROGRAMS, "all others make room for one of the size of the cache");
        assert_eq!(cache.get(&digest(10000)), Some(&10000));
    }
}
