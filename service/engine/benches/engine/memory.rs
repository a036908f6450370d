//! Counts what the program holds of the heap: the sizes that were asked for, without the allocator's own waste.

use std::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
};

use mimalloc::MiMalloc;

static COUNTS: AtomicBool = AtomicBool::new(false);
static HELD: AtomicI64 = AtomicI64::new(0);
static MOST_HELD: AtomicI64 = AtomicI64::new(0);

/// The allocator of the program that serves, counted while [`held_by`] runs and at no cost otherwise.
pub(crate) struct Counting;

// SAFETY: every call goes to the allocator as it came; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `MiMalloc`.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as in `alloc`.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the pointer came from `MiMalloc`, with this layout.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64);
        // SAFETY: the pointer came from `MiMalloc`, with this layout.
        unsafe { MiMalloc.realloc(pointer, layout, size) }
    }
}

#[inline]
fn count(bytes: i64) {
    if COUNTS.load(Relaxed) {
        let held = HELD.fetch_add(bytes, Relaxed) + bytes;
        MOST_HELD.fetch_max(held, Relaxed);
    }
}

/// What some work makes, how many bytes it keeps, and how many were held at most while it was made. The work must not
/// free what was there before.
pub(crate) fn held_by<Made>(work: impl FnOnce() -> Made) -> (Made, i64, i64) {
    HELD.store(0, Relaxed);
    MOST_HELD.store(0, Relaxed);
    COUNTS.store(true, Relaxed);
    let made = work();
    COUNTS.store(false, Relaxed);
    (made, HELD.load(Relaxed), MOST_HELD.load(Relaxed))
}
