//! Where readers pay for a full fence themselves.

use std::sync::atomic::{Ordering, fence};

/// Nothing to be done.
pub fn prepare() {}

/// It is always there.
pub fn is_there() -> bool {
    true
}

/// The writer's half. Never fails.
pub fn heavy() -> bool {
    // SeqCst: pairs with the fence in `light_barrier`.
    fence(Ordering::SeqCst);
    true
}
