//! Reference-counted nodes: the heap part of values, cheap inside a call and shareable between threads.
//!
//! A node lives in one of two ages. While it is *local*, one thread alone can reach it and its count is kept with plain loads and stores.
//! `mark_shared` ends that age, before a value leaves its call; from then on the node never changes and its count is kept with atomic
//! additions. All unsafe code about memory of values is in this file, in `pool.rs` and in `text.rs`.

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use crate::pool::{self, BLOCK};

/// The epoch of nodes that are frozen, whichever call looks.
pub const FROZEN: u32 = 0;
const SHARED: u32 = u32::MAX;

pub struct Header {
    count: AtomicU32,
    epoch: AtomicU32,
}

impl Header {
    pub fn new(epoch: u32) -> Header {
        Header { count: AtomicU32::new(1), epoch: AtomicU32::new(epoch) }
    }

    #[inline(always)]
    pub fn is_shared(&self) -> bool {
        self.epoch.load(Ordering::Relaxed) == SHARED
    }

    /// True in the call that made the node, and in no other one.
    pub fn is_mutable(&self, epoch: u32) -> bool {
        self.epoch.load(Ordering::Relaxed) == epoch
    }

    /// From now on the node is frozen and may be read by any thread.
    pub fn mark_shared(&self) {
        self.epoch.store(SHARED, Ordering::Relaxed);
    }

    #[inline(always)]
    pub fn retain(&self) {
        if self.is_shared() {
            self.count.fetch_add(1, Ordering::Relaxed);
        } else {
            self.count.store(self.count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// True when that was the last reference.
    #[inline(always)]
    pub fn release(&self) -> bool {
        if self.is_shared() {
            if self.count.fetch_sub(1, Ordering::Release) != 1 {
                return false;
            }
            fence(Ordering::Acquire);
            return true;
        }
        let left = self.count.load(Ordering::Relaxed) - 1;
        self.count.store(left, Ordering::Relaxed);
        left == 0
    }
}

/// What can stand behind a `Ptr`.
pub trait Node {
    fn header(&self) -> &Header;

    /// Take apart a node that nobody refers to any more, without recursion on what it holds.
    fn dismantle(&mut self) {}
}

/// A counted reference to a node.
pub struct Ptr<T: Node>(NonNull<T>);

impl<T: Node> Ptr<T> {
    #[inline(always)]
    pub fn new(node: T) -> Ptr<T> {
        const { assert!(size_of::<T>() <= BLOCK.size() && align_of::<T>() <= BLOCK.align()) };
        let place = pool::block().cast::<T>();
        // SAFETY: the block is large enough, and nobody else has it
        unsafe { place.write(node) };
        Ptr(place)
    }

    pub fn same(&self, other: &Ptr<T>) -> bool {
        self.0 == other.0
    }

    pub fn count(&self) -> u32 {
        self.header().count.load(Ordering::Acquire)
    }

    /// It has not been shared, and so many other references are all there are: their holder may change it in place.
    pub fn is_unique_but(&self, others: u32) -> bool {
        !self.header().is_shared() && self.count() == 1 + others
    }

    /// From now on the node is frozen and may be read by any thread. The caller does the same for all that it holds.
    pub fn mark_shared(&self) {
        self.header().mark_shared();
    }

    /// # Safety
    /// `release` of the header said that this was the last reference, and nobody looks at it again.
    pub unsafe fn destroy(&self) {
        free(self.0);
    }

    /// As `destroy`, in the way of the caller.
    ///
    /// # Safety
    /// As of `destroy`.
    #[inline]
    pub unsafe fn destroy_by(&self, dismantle: impl FnOnce(&mut T)) {
        // SAFETY: the last reference is gone, so the node is ours; its memory came from `new`
        unsafe {
            dismantle(&mut *self.0.as_ptr());
            std::ptr::drop_in_place(self.0.as_ptr());
            pool::give_back(self.0.cast());
        }
    }

    /// The node belongs to the call `epoch`; the caller holds the only reference.
    pub fn adopt(&self, epoch: u32) {
        self.header().epoch.store(epoch, Ordering::Relaxed);
    }
}

impl<T: Node> Deref for Ptr<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the pointer comes from `new`, and is freed only by the drop of the last reference
        unsafe { self.0.as_ref() }
    }
}

impl<T: Node> Clone for Ptr<T> {
    #[inline(always)]
    fn clone(&self) -> Ptr<T> {
        self.header().retain();
        Ptr(self.0)
    }
}

impl<T: Node> Drop for Ptr<T> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.header().release() {
            free(self.0);
        }
    }
}

/// The last reference is gone. Out of line, as a drop stands in many places and most of them free nothing.
#[inline(never)]
fn free<T: Node>(node: NonNull<T>) {
    // SAFETY: the last reference is gone, so the node is ours; its memory came from `new`
    unsafe {
        (*node.as_ptr()).dismantle();
        std::ptr::drop_in_place(node.as_ptr());
        pool::give_back(node.cast());
    }
}
