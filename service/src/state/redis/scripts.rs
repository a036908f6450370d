//! What scripts begin with.

/// What removes must work on a full server: it is what makes room. So must whatever ends a restore.
macro_rules! on_a_full_server {
    ($($part:expr),+) => {
        concat!("#!lua flags=allow-oom\n", $($part),+)
    };
}

/// What fills is refused on a full server before it begins. Without the first line a script that has written a little
/// is let through.
macro_rules! with_room {
    ($($part:expr),+) => {
        concat!("#!lua\n", $($part),+)
    };
}

pub(super) use {on_a_full_server, with_room};
