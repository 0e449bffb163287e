//! The shape of a call: how many arguments of which kind there are.

use crate::ffi::CallArgs;

/// How many positional and how many keyword arguments a call has, and whether their types are kept, in one word. Zero for a call
/// without any.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Shape(u64);

impl Shape {
    const KEYWORDS_AT: u32 = 32;
    const TYPED: u64 = 1 << 63;

    /// Of so many arguments.
    #[inline(always)]
    pub const fn new(positional: usize, keywords: usize) -> Self {
        Self((keywords as u64) << Self::KEYWORDS_AT | positional as u64)
    }

    /// Of these arguments.
    pub fn of(args: &CallArgs<'_>) -> Self {
        let positional = args.positional().len();
        Self::new(positional, args.values().len() - positional)
    }

    /// The same, of a call whose types are kept if `typed`.
    #[inline(always)]
    pub const fn with_types(self, typed: bool) -> Self {
        if typed { Self(self.0 | Self::TYPED) } else { self }
    }

    /// The same, without regard to types.
    #[inline(always)]
    pub const fn without_types(self) -> Self {
        Self(self.0 & !Self::TYPED)
    }

    /// As a number.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Whether the types are kept.
    #[inline(always)]
    pub const fn is_typed(self) -> bool {
        self.0 & Self::TYPED != 0
    }

    /// How many keyword arguments there are.
    #[inline(always)]
    pub const fn keywords(self) -> usize {
        (self.without_types().0 >> Self::KEYWORDS_AT) as usize
    }

    /// How many arguments there are.
    #[inline(always)]
    pub const fn values(self) -> usize {
        (self.0 as u32) as usize + self.keywords()
    }

    /// How many references a block of this shape holds: the values, the tuple of the names if there are any, and the types if those
    /// are kept.
    #[inline(always)]
    pub const fn items(self) -> usize {
        self.values() * (1 + self.is_typed() as usize) + (self.keywords() > 0) as usize
    }
}
