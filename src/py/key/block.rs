//! The key of a call of any shape: a piece of memory of our own that holds the arguments.

use crate::ffi::compare::Verdict;
use crate::ffi::exact::Exact;
use crate::ffi::sync::SharedCount;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, compare, exact, known};
use crate::py::key::kind::KeyKind;
use crate::py::key::shape::Shape;
use pyo3_ffi as py;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// The head of a block. Behind it lie as many references of the block's own as its shape says: the values, the tuple of keyword
/// names, and the values' types.
#[repr(C, align(8))]
struct Head {
    shape: Shape,
    references: SharedCount,
}

const _: () = assert!(size_of::<Head>() == 16);

/// The addresses of blocks are multiples of this.
pub const ALIGNMENT: usize = align_of::<Head>();

/// A reference to a block. It is never dropped: a key takes it over.
#[must_use]
pub struct Reference(NonNull<Head>);

impl Reference {
    /// The address, for [`Block::from_ptr`].
    pub fn into_ptr(self) -> *mut u8 {
        self.0.as_ptr().cast()
    }
}

/// A call of any shape, seen through a key that holds it for `'a`.
#[derive(Clone, Copy)]
pub struct Block<'a>(NonNull<Head>, PhantomData<&'a Head>);

/// The block of these arguments, with their types if `typed`. Runs no Python code.
pub fn new(args: &CallArgs<'_>, typed: bool) -> Result<Reference> {
    let values = args.values();
    let types = values.iter().filter(|_| typed).map(|value| {
        // SAFETY: a live object's type is live.
        unsafe { Borrowed::from_ptr(value.type_ptr().cast()) }
    });
    let items = values.iter().copied().chain(args.kwnames().map(Exact::object)).chain(types);
    write(Shape::of(args).with_types(typed), items).ok_or_else(Raised::no_memory)
}

/// A new block of these items, of which there are as many as the shape says. None without memory.
fn write<'b>(shape: Shape, items: impl Iterator<Item = Borrowed<'b>>) -> Option<Reference> {
    let count = shape.items();
    // SAFETY: a size that fits, since the arguments themselves lie in memory.
    let pointer = unsafe { py::PyMem_Malloc(size_of::<Head>() + count * size_of::<Owned>()) };
    let head = NonNull::new(pointer.cast::<Head>())?;
    // SAFETY: fresh memory of that size and alignment.
    unsafe { head.write(Head { shape, references: SharedCount::one() }) };
    // SAFETY: the items begin behind the head, in the same memory.
    let first = unsafe { head.add(1) }.cast::<Owned>();
    let mut written = 0;
    for item in items.take(count) {
        // SAFETY: there is room for `count` of them.
        let place = unsafe { first.add(written) };
        // SAFETY: as above.
        unsafe { place.write(item.to_owned()) };
        written += 1;
    }
    assert!(written == count, "a block is filled as its shape says");
    Some(Reference(head))
}

impl<'a> Block<'a> {
    /// # Safety
    /// An address that [`Reference::into_ptr`] gave, and a reference to that block is held for `'a`.
    #[inline(always)]
    pub unsafe fn from_ptr(pointer: *mut u8) -> Self {
        // SAFETY: not null, as the caller says.
        Self(unsafe { NonNull::new_unchecked(pointer.cast()) }, PhantomData)
    }

    /// One more reference to the same block.
    pub fn to_owned(self) -> Reference {
        self.head().references.add();
        Reference(self.0)
    }

    /// A block of the same items. None without memory.
    pub fn duplicate(self) -> Option<Reference> {
        write(self.shape(), self.items().iter().copied())
    }

    /// Gives one reference to the block back, and with the last one the block. What it held is handed out.
    ///
    /// # Safety
    /// The reference is the caller's, who does not use the block any more.
    pub unsafe fn release(self, mut each: impl FnMut(Owned)) {
        if !self.head().references.remove() {
            return;
        }
        for &item in self.items() {
            // SAFETY: the block's own references, given up one by one; nobody else can reach the block.
            each(unsafe { Owned::from_ptr(item.as_ptr()) });
        }
        // SAFETY: memory of `PyMem_Malloc`, which nobody uses any more.
        unsafe { py::PyMem_Free(self.0.as_ptr().cast()) };
    }

    /// How many items there are, and of which kinds.
    #[inline(always)]
    pub fn shape(self) -> Shape {
        self.head().shape
    }

    #[inline(always)]
    fn head(self) -> &'a Head {
        // SAFETY: the key holds the block for 'a, and nothing but its count changes.
        unsafe { self.0.as_ref() }
    }

    /// The first so many items.
    ///
    /// # Safety
    /// The shape says that there are so many.
    #[inline(always)]
    pub unsafe fn first_items(self, count: usize) -> &'a [Borrowed<'a>] {
        // SAFETY: the items lie behind the head, in the same memory.
        let first = unsafe { self.0.add(1) }.cast::<Borrowed<'a>>();
        // SAFETY: `write` has written as many as the shape says, and they stand as long as the block.
        unsafe { std::slice::from_raw_parts(first.as_ptr(), count) }
    }

    /// All items.
    #[inline(always)]
    pub fn items(self) -> &'a [Borrowed<'a>] {
        // SAFETY: as many as the shape says.
        unsafe { self.first_items(self.shape().items()) }
    }

    /// See `Key::to_object`.
    pub fn to_object(self) -> Result<Owned> {
        let (items, values, keywords) = (self.items(), self.shape().values(), self.shape().keywords());
        let (positional, named) = items[..values].split_at(values - keywords);
        if keywords == 0 {
            // A lone argument has a block in typed caches.
            return if let &[only] = positional { Ok(only.to_owned()) } else { build::tuple(positional) };
        }
        // SAFETY: an attached thread.
        let dict = unsafe { py::PyDict_New() };
        // SAFETY: a new reference, or null with an exception set.
        let dict = unsafe { Owned::from_call(dict) }?;
        for (name, value) in exact::tuple_items(items[values]).iter().zip(named) {
            // SAFETY: a dict and two live objects.
            if unsafe { py::PyDict_SetItem(dict.as_ptr(), name.as_ptr(), value.as_ptr()) } != 0 {
                return Err(Raised::by_callee());
            }
        }
        build::tuple(&[build::tuple(positional)?.borrow(), dict.borrow()])
    }

    /// Whether the types agree, where they count.
    #[inline(always)]
    fn has_types_of(self, args: &CallArgs<'_>) -> bool {
        let shape = self.shape();
        let types = &self.items()[shape.values() + usize::from(shape.keywords() > 0)..];
        types.iter().zip(args.values()).all(|(stored, asked)| stored.as_ptr() == asked.type_ptr().cast())
    }

    /// Whether this is the block of these arguments, in a cache of this kind. Runs no Python code.
    #[inline(always)]
    pub fn compare(self, args: &CallArgs<'a>, kind: KeyKind) -> Verdict {
        let typed = kind.is_typed();
        if self.shape() != Shape::of(args).with_types(typed) || typed && !self.has_types_of(args) {
            return Verdict::Different;
        }
        let values = args.values();
        // SAFETY: the shapes agree, so there are as many values, and the names behind them if there are names.
        let items = unsafe { self.first_items(values.len() + usize::from(args.kwnames().is_some())) };
        let verdict = compare_all(items, values);
        match args.kwnames() {
            // One call site has one tuple of names: most often there is nothing to compare.
            Some(names) if verdict != Verdict::Different && !items[values.len()].is(names.object()) => {
                let verdict_on_names = compare_all(exact::tuple_items(items[values.len()]), names.items());
                if verdict_on_names == Verdict::Same { verdict } else { verdict_on_names }
            }
            _ => verdict,
        }
    }

    /// Whether this is the block of arguments that equal these. Reenters: `__eq__`. The caller's key holds the block.
    pub fn equals(self, args: &CallArgs<'a>) -> Result<bool> {
        if self.shape().without_types() != Shape::of(args) || !self.has_types_of(args) {
            return Ok(false);
        }
        let items = self.items();
        for (stored, &asked) in items.iter().zip(args.values()) {
            known::meet(*stored);
            if !stored.equals(asked)? {
                return Ok(false);
            }
        }
        if let Some(names) = args.kwnames() {
            let stored_names = exact::tuple_items(items[args.values().len()]);
            for (stored, &asked) in stored_names.iter().zip(names.items()) {
                if !stored.equals(asked)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// The verdict on as many objects as were asked for, each beside the stored one of its place.
#[inline(always)]
fn compare_all(stored: &[Borrowed<'_>], asked: &[Borrowed<'_>]) -> Verdict {
    compare::all_of(stored.iter().zip(asked).map(|(&stored, &asked)| compare::compare(stored, asked)))
}
