//! Memory of nodes that died, kept for the next ones of the same thread: most nodes of a run live no longer than it does.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, UnsafeCell};
use std::ptr::NonNull;

/// Every node of a list, map or range fits.
pub const BLOCK: Layout = match Layout::from_size_align(48, 8) {
    Ok(layout) => layout,
    Err(_) => panic!("48 bytes aligned to 8"),
};

/// So many are kept.
const KEPT: usize = 64;

struct Pool {
    count: Cell<usize>,
    blocks: UnsafeCell<[*mut u8; KEPT]>,
}

impl Drop for Pool {
    fn drop(&mut self) {
        for block in &self.blocks.get_mut()[..self.count.get()] {
            // SAFETY: allocated in `block` with this layout, and nobody has it
            unsafe { dealloc(*block, BLOCK) };
        }
        self.count.set(0);
    }
}

thread_local! {
    static POOL: Pool = const { Pool { count: Cell::new(0), blocks: UnsafeCell::new([std::ptr::null_mut(); KEPT]) } };
}

/// Memory of the size and alignment of `BLOCK`.
#[inline(always)]
pub fn block() -> NonNull<u8> {
    let kept = POOL.try_with(|pool| {
        let count = pool.count.get().checked_sub(1)?;
        pool.count.set(count);
        // SAFETY: this thread alone has the pool, and nothing else is borrowed from it; so many blocks are in it
        NonNull::new(unsafe { (*pool.blocks.get())[count] })
    });
    // the thread may be ending: then there is no pool
    match kept {
        Ok(Some(block)) => block,
        _ => new_block(),
    }
}

#[cold]
#[inline(never)]
fn new_block() -> NonNull<u8> {
    // SAFETY: the layout is not empty
    NonNull::new(unsafe { alloc(BLOCK) }).unwrap_or_else(|| handle_alloc_error(BLOCK))
}

/// # Safety
/// The memory came from `block`, on whichever thread, and nobody uses it any more.
#[inline(always)]
pub unsafe fn give_back(block: NonNull<u8>) {
    let kept = POOL.try_with(|pool| {
        let count = pool.count.get();
        if count == KEPT {
            return false;
        }
        // SAFETY: as in `block`; there is room for one more
        unsafe { (*pool.blocks.get())[count] = block.as_ptr() };
        pool.count.set(count + 1);
        true
    });
    if kept != Ok(true) {
        // SAFETY: as the caller says
        unsafe { dealloc(block.as_ptr(), BLOCK) };
    }
}
