//! What waits for readers since some moment.

use crate::core::slab::RetiredSlots;

/// What left the store before some moment: entries, and so much of the memory and of the views that were replaced.
pub(super) struct Batch {
    pub(super) retired: RetiredSlots,
    pub(super) replaced: usize,
    pub(super) views: usize,
}

impl Batch {
    pub(super) const NOTHING: Self = Self { retired: RetiredSlots::NONE, replaced: 0, views: 0 };
}
