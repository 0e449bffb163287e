//! Memory for bytes.

use crate::backend::Request;
use std::cell::{Cell, RefCell, RefMut};
use std::mem::ManuallyDrop;

/// Bytes that are used again, up to this capacity.
const KEPT_CAPACITY: usize = 64 << 10;

/// Memory for the bytes of a key and of a value.
#[derive(Default)]
struct Scratch {
    key: Vec<u8>,
    /// Of the key, as the backend has it.
    hash: u64,
    value: RefCell<Vec<u8>>,
}

thread_local! {
    static SPARE: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// A thread's scratch memory, given back for the next call. A call inside of a call has its own.
pub struct Buffers(ManuallyDrop<Box<Scratch>>);

impl Buffers {
    /// This thread's, empty.
    #[inline(always)]
    pub fn take() -> Self {
        // At the exit of a process that embeds Python, C may call after the thread's own storage is gone.
        Self(ManuallyDrop::new(SPARE.try_with(Cell::take).unwrap_or_default().unwrap_or_default()))
    }

    /// Those of a key, with its hash.
    pub fn of_key(key: Vec<u8>, hash: u64) -> Self {
        Self(ManuallyDrop::new(Box::new(Scratch { key, hash, ..Scratch::default() })))
    }

    /// The bytes of the key, to be written.
    #[inline(always)]
    pub fn key_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0.key
    }

    /// Says what hash the key has.
    #[inline(always)]
    pub fn set_hash(&mut self, hash: u64) {
        self.0.hash = hash;
    }

    /// The key, and its hash.
    #[inline(always)]
    pub fn request(&self) -> Request<'_> {
        Request { hash: self.0.hash, key: &self.0.key }
    }

    /// Memory for a value, empty. Whoever has it encodes or decodes one value, and comes here again for none of the same call.
    #[inline(always)]
    pub fn value(&self) -> RefMut<'_, Vec<u8>> {
        let mut bytes = self.0.value.borrow_mut();
        bytes.clear();
        bytes
    }
}

impl Drop for Buffers {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let mut scratch = unsafe { ManuallyDrop::take(&mut self.0) };
        if scratch.key.capacity() <= KEPT_CAPACITY && scratch.value.get_mut().capacity() <= KEPT_CAPACITY {
            scratch.key.clear();
            let _none_any_more = SPARE.try_with(|spare| spare.set(Some(scratch)));
        }
    }
}
