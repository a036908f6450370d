//! Memory that nobody uses any more.

/// Gives it back to the system. The allocator alone keeps what a large piece of work leaves behind, such as a stock that
/// was read: it looks for something to give back only when it is asked for memory of the same kind again.
pub(crate) fn give_back() {
    // SAFETY: it takes and gives no pointers, touches nothing that is in use, and may be called by any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
