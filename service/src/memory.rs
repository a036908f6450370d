//! Memory: where it comes from, and what becomes of it when nobody uses it any more.

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::{
    mi_calloc, mi_collect, mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned,
    mi_zalloc_aligned,
};

/// Gives it back to the system. The allocator alone keeps what a large piece of work leaves behind, such as a stock that
/// was read: it looks for something to give back only when it is asked for memory of the same kind again.
pub(crate) fn give_back() {
    // SAFETY: it takes and gives no pointers, touches nothing that is in use, and may be called by any thread at any time.
    unsafe { mi_collect(true) }
}

/// Runs work that leaves a lot in memory on a thread that ends with it. What a thread allocated and another frees comes
/// back to the system only when its owner looks after it or is gone, and threads that wait for work do neither: a stock
/// that was replaced would be held for as long as they wait.
///
/// # Errors
/// When the thread cannot be started, or the work panics.
pub(crate) async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ThreadLost> {
    let (done, result) = tokio::sync::oneshot::channel();
    let work = move || {
        // Whoever asked may be gone.
        let _ = done.send(work());
    };
    let thread = std::thread::Builder::new().name("stock".to_owned());
    thread.spawn(work).map_err(|_| ThreadLost)?;
    result.await.map_err(|_| ThreadLost)
}

/// There was no thread for the work, or it did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("the thread for it did not start, or ended early")]
pub(crate) struct ThreadLost;

/// The alignment of everything that is at least as large.
const ALIGNED_ANYWAY: usize = 16;

/// The allocator of the program. An answer is some hundred small texts: half of what they cost with the C library's goes.
///
/// Asks for an alignment only where it needs one: the way that takes any costs twice as much.
pub struct Mimalloc;

impl Mimalloc {
    fn is_aligned_anyway(size: usize, layout: Layout) -> bool {
        layout.align() <= ALIGNED_ANYWAY && layout.align() <= size
    }
}

// SAFETY: every call goes to one allocator, which gives blocks of at least the size, aligned as is asked for; those asked
// for without an alignment begin at a multiple of 16 or of the power of two that they hold.
unsafe impl GlobalAlloc for Mimalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = layout.size();
        // SAFETY: both take any size, and the second any power of two.
        unsafe {
            if Self::is_aligned_anyway(size, layout) {
                mi_malloc(size).cast()
            } else {
                mi_malloc_aligned(size, layout.align()).cast()
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let size = layout.size();
        // SAFETY: as for `alloc`.
        unsafe {
            if Self::is_aligned_anyway(size, layout) {
                mi_calloc(1, size).cast()
            } else {
                mi_zalloc_aligned(size, layout.align()).cast()
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, _: Layout) {
        // SAFETY: the pointer came from this allocator, whichever way.
        unsafe { mi_free(pointer.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the pointer came from this allocator, whichever way; both keep what fits.
        unsafe {
            if Self::is_aligned_anyway(size, layout) {
                mi_realloc(pointer.cast(), size).cast()
            } else {
                mi_realloc_aligned(pointer.cast(), size, layout.align()).cast()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents whoever waits for work from waiting for ever when it panics.
    #[tokio::test]
    async fn work_on_its_own_thread_comes_back_or_is_lost() {
        assert_eq!(on_own_thread(|| 7).await.unwrap(), 7);
        assert!(on_own_thread(|| panic!("on purpose")).await.is_err());
    }

    /// Prevents a block from beginning where its type may not: every size up to a page, every alignment.
    #[test]
    fn blocks_are_aligned_as_is_asked_for() {
        for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
            for size in 1..=4096 {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: the sizes are not 0, and each block goes back with the layout that it last had.
                unsafe {
                    let zeroed = Mimalloc.alloc_zeroed(layout);
                    let block = Mimalloc.alloc(layout);
                    assert!(!block.is_null() && !zeroed.is_null());
                    assert_eq!(
                        (block.addr() % align, zeroed.addr() % align),
                        (0, 0),
                        "{layout:?}"
                    );
                    assert_eq!(*zeroed, 0);
                    block.write(7);
                    let grown = Mimalloc.realloc(block, layout, size * 3);
                    assert_eq!((grown.addr() % align, *grown), (0, 7), "{layout:?}");
                    Mimalloc.dealloc(grown, Layout::from_size_align(size * 3, align).unwrap());
                    Mimalloc.dealloc(zeroed, layout);
                }
            }
        }
    }
}
