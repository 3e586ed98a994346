//! Tests of a size that Miri gets to the end of: it looks for undefined behaviour, and takes a thousand times as long.

/// Operations of a case that Miri still runs.
const MOST: usize = 20_000;

/// `full`, or under Miri `few`.
#[must_use]
pub fn fewer<T>(full: T, few: T) -> T {
    if cfg!(miri) { few } else { full }
}

/// Whether Miri leaves out a case of so many operations; nobody else does.
#[must_use]
pub const fn is_left_out(operations: usize) -> bool {
    cfg!(miri) && operations > MOST
}
