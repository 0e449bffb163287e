//! When two keys of a cache are one.

use crate::ffi::{Borrowed, exact};

/// What a cache's keys are, which says when two of them are one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// Keys of a mapping: two are one where they are equal, as in a dict.
    Item,
    /// Arguments of calls. A lone one that is exactly an `int` or a `str` is never one with an object of another type, as in functools,
    /// whose key for it is the argument itself, and for all else a tuple (`lru_cache_make_key` of Modules/_functoolsmodule.c).
    Call,
    /// Arguments of calls: two are one where they are equal and of the same types.
    TypedCall,
}

impl KeyKind {
    /// The keys of a cached function.
    #[inline(always)]
    pub const fn of_calls(typed: bool) -> Self {
        if typed { Self::TypedCall } else { Self::Call }
    }

    /// Whether the types of the arguments count.
    #[inline(always)]
    pub fn is_typed(self) -> bool {
        self == Self::TypedCall
    }

    /// Whether two lone objects of different types are two keys even if they are equal.
    #[inline]
    pub(super) fn tells_apart(self, stored: Borrowed<'_>, asked: Borrowed<'_>) -> bool {
        match self {
            Self::Item => false,
            Self::Call => !(self.is_tuple_of(stored) && self.is_tuple_of(asked)),
            Self::TypedCall => true,
        }
    }

    /// Whether functools' key for this lone argument would be a tuple of it, and not the argument itself.
    #[inline]
    pub fn is_tuple_of(self, argument: Borrowed<'_>) -> bool {
        self == Self::Call && !exact::is_int(argument) && !exact::is_str(argument)
    }

    /// Whether the key of this lone argument holds its type too. It does in a typed cache, unless the type is one whose objects tell
    /// their type by themselves and never change it.
    #[inline(always)]
    pub(super) fn needs_block(self, argument: Borrowed<'_>) -> bool {
        self.is_typed() && !exact::is_plain(argument)
    }
}
