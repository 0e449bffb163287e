//! A key: a pointer with marks.

use crate::ffi::compare::Verdict;
use crate::ffi::exact::{Exact, Int};
use crate::ffi::{Borrowed, CallArgs, Owned, Result, build, compare, exact, known};
use crate::py::key::block;
use crate::py::key::block::Block;
use crate::py::key::kind::KeyKind;
use crate::py::key::shape::Shape;
use pyo3_ffi as py;
use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// Marks a pointer to a block.
const BLOCK: usize = 1;
/// Marks an inline int: an exact `int` that no other has the hash of, so that equal hashes are equal keys. Its value lies above the
/// marks, and no reference to an object is kept: no thread has to give back what another one made.
const INLINE_INT: usize = 2;
/// The key of a call without arguments, which points to nothing.
const EMPTY: usize = 4;
const EMPTY_ADDRESS: NonZeroUsize = NonZeroUsize::new(EMPTY).unwrap();
const MARKS: usize = BLOCK | INLINE_INT | EMPTY;
const MARK_BITS: u32 = MARKS.count_ones();

const _: () = assert!(block::ALIGNMENT > MARKS && align_of::<py::PyObject>() > MARKS);
const _: () = assert!(exact::INLINE_INT_BITS + 1 + MARK_BITS <= usize::BITS);

/// One key, owned: a pointer to an object or to a block, or an integer, marked in its low bits. Cloning it takes a reference.
/// Dropping it may run Python code.
pub struct Key(NonNull<u8>);

/// What a [`Key`] points to.
enum Target<'a> {
    Nothing,
    Int(i64),
    Object(Borrowed<'a>),
    Block(Block<'a>),
}

impl Key {
    /// A key for these arguments. Runs no Python code.
    #[inline(always)]
    pub fn new(args: &CallArgs<'_>, kind: KeyKind) -> Result<Self> {
        match args.single() {
            Some(object) if !kind.needs_block(object) => Ok(Self::of_object(object)),
            _ => Self::of_shape(args, kind.is_typed()),
        }
    }

    #[inline(never)]
    fn of_shape(args: &CallArgs<'_>, typed: bool) -> Result<Self> {
        match args.values().len() {
            0 => Ok(Self(NonNull::without_provenance(EMPTY_ADDRESS))),
            _ => block::new(args, typed).map(Self::of_block),
        }
    }

    /// The key of a lone argument that is an exact `int` of this value: see [`exact::inline_int`].
    #[inline(always)]
    pub fn of_inline_int(value: i64) -> Self {
        debug_assert!(value.unsigned_abs() >> exact::INLINE_INT_BITS == 0);
        let address = (value << MARK_BITS) as usize | INLINE_INT;
        // SAFETY: the mark is not zero.
        Self(NonNull::without_provenance(unsafe { NonZeroUsize::new_unchecked(address) }))
    }

    #[inline(always)]
    fn of_object(object: Borrowed<'_>) -> Self {
        match Exact::<Int>::of(object).and_then(Exact::inline_int) {
            Some(value) => Self::of_inline_int(value),
            // SAFETY: an object, and a reference to it that nobody else gives back.
            None => unsafe { Self::marked(object.to_owned().into_ptr().cast(), 0) },
        }
    }

    fn of_block(block: block::Reference) -> Self {
        // SAFETY: a block, and a reference to it that nobody else gives back.
        unsafe { Self::marked(block.into_ptr(), BLOCK) }
    }

    /// # Safety
    /// A pointer to what the mark says, and a reference to it, which the key takes over.
    #[inline(always)]
    unsafe fn marked(pointer: *mut u8, mark: usize) -> Self {
        debug_assert!(!pointer.is_null() && pointer.addr() & MARKS == 0);
        // SAFETY: objects and blocks lie at addresses that are not null.
        Self(unsafe { NonNull::new_unchecked(pointer.map_addr(|address| address | mark)) })
    }

    /// Whether this is an exact `int` that equals every exact `int` of its hash, and nothing else of its type.
    #[inline(always)]
    pub fn is_inline_int(&self) -> bool {
        self.0.addr().get() & INLINE_INT != 0
    }

    /// Whether this key is this very object.
    #[inline(always)]
    pub fn is_object(&self, object: Borrowed<'_>) -> bool {
        self.0.addr().get() == object.as_ptr().addr()
    }

    /// The lone argument, if its object is kept.
    #[inline(always)]
    pub fn object(&self) -> Option<Borrowed<'_>> {
        match self.target() {
            Target::Object(object) => Some(object),
            Target::Nothing | Target::Int(_) | Target::Block(_) => None,
        }
    }

    /// Whether this is the key of a call with these very objects as positional arguments, and no others, in a cache that is typed
    /// or not.
    #[inline(always)]
    pub fn is_of_positional<const N: usize>(&self, args: &[Borrowed<'_>; N], typed: bool) -> bool {
        let Some(block) = self.block_of_shape(Shape::new(N, 0).with_types(typed)) else {
            return false;
        };
        // SAFETY: the shape says that there are so many values, and types behind them in typed caches.
        let items = unsafe { block.first_items(if typed { 2 * N } else { N }) };
        let (items, types) = items.split_at(N);
        types.iter().zip(args).all(|(stored, asked)| stored.as_ptr() == asked.type_ptr().cast())
            && items.iter().zip(args).all(|(stored, asked)| stored.is(*asked))
    }

    /// Whether this is the key of a call with these very objects, in a cache that is not typed, under keyword names that
    /// are this very tuple.
    #[inline(always)]
    pub fn is_of_keywords(&self, values: &[Borrowed<'_>], positional: usize, names: Borrowed<'_>) -> bool {
        let Some(block) = self.block_of_shape(Shape::new(positional, values.len() - positional)) else {
            return false;
        };
        // SAFETY: the shape says that there are so many values, and the tuple of names behind them.
        let items = unsafe { block.first_items(values.len() + 1) };
        items[values.len()].is(names) && items.iter().zip(values).all(|(stored, asked)| stored.is(*asked))
    }

    #[inline(always)]
    fn block_of_shape(&self, shape: Shape) -> Option<Block<'_>> {
        if self.0.addr().get() & BLOCK == 0 {
            return None;
        }
        // SAFETY: the mark has just been seen.
        let block = unsafe { self.block() };
        (block.shape() == shape).then_some(block)
    }

    /// # Safety
    /// The pointer has the mark of a block.
    #[inline(always)]
    unsafe fn block(&self) -> Block<'_> {
        // SAFETY: with the mark it is a block, and this key holds a reference to it.
        unsafe { Block::from_ptr(self.0.as_ptr().map_addr(|address| address - BLOCK)) }
    }

    /// Whether this is the key of a call without arguments.
    #[inline(always)]
    pub fn is_empty_call(&self) -> bool {
        self.0.addr() == EMPTY_ADDRESS
    }

    #[inline(always)]
    fn target(&self) -> Target<'_> {
        let address = self.0.addr().get();
        match address & MARKS {
            // SAFETY: without a mark it is an object, and this key holds a reference to it.
            0 => Target::Object(unsafe { Borrowed::from_ptr(self.0.as_ptr().cast()) }),
            // SAFETY: the mark has just been seen.
            BLOCK => Target::Block(unsafe { self.block() }),
            EMPTY => Target::Nothing,
            _ => Target::Int(address as i64 >> MARK_BITS),
        }
    }

    /// Whether both are one key, not only equal ones. Two keys that live at once are one exactly if their pointers are.
    #[inline]
    pub fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Whether this key stands for these arguments, as far as it can be told without running Python code.
    ///
    /// Keys that hold no types are for caches that are not typed, or for objects whose type can't change.
    #[inline(always)]
    pub fn compare(&self, args: &CallArgs<'_>, kind: KeyKind) -> Verdict {
        match self.target() {
            Target::Nothing => Verdict::of(args.values().is_empty()),
            Target::Int(value) => match args.single().map(Exact::<Int>::of) {
                Some(Some(int)) => Verdict::of(int.inline_int() == Some(value)),
                Some(None) if kind == KeyKind::Item => Verdict::Ask,
                _ => Verdict::Different,
            },
            Target::Object(stored) => match args.single() {
                Some(asked) if stored.type_ptr() != asked.type_ptr() && kind.tells_apart(stored, asked) => {
                    Verdict::Different
                }
                Some(asked) => compare::compare(stored, asked),
                None => Verdict::Different,
            },
            Target::Block(block) => block.compare(args, kind),
        }
    }

    /// Whether this key stands for these arguments. Reenters: `__eq__` of what is stored and of the arguments.
    pub fn equals(&self, args: &CallArgs<'_>) -> Result<bool> {
        match self.target() {
            Target::Nothing => Ok(args.values().is_empty()),
            Target::Int(value) => match args.single() {
                Some(asked) => build::int(value)?.borrow().equals(asked),
                None => Ok(false),
            },
            Target::Object(stored) => args.single().map_or(Ok(false), |asked| {
                known::meet(stored);
                stored.equals(asked)
            }),
            Target::Block(block) => block.equals(args),
        }
    }

    /// A key of the same objects that shares no block with this one. Runs no Python code. None without memory.
    pub fn duplicate(&self) -> Option<Self> {
        match self.target() {
            Target::Block(block) => block.duplicate().map(Self::of_block),
            Target::Nothing | Target::Int(_) | Target::Object(_) => Some(self.clone()),
        }
    }

    /// The key as callbacks see it: the one positional argument, or a tuple of several; with keyword arguments a tuple of that
    /// tuple and a dict.
    pub fn to_object(&self) -> Result<Owned> {
        match self.target() {
            Target::Nothing => build::tuple(&[]),
            Target::Int(value) => build::int(value),
            Target::Object(object) => Ok(object.to_owned()),
            Target::Block(block) => block.to_object(),
        }
    }

    /// Shows the collector all that this key holds, until it says stop.
    pub fn visit(&self, visit: impl Fn(*mut py::PyObject) -> c_int) -> c_int {
        match self.target() {
            Target::Nothing | Target::Int(_) => 0,
            Target::Object(object) => visit(object.as_ptr()),
            Target::Block(block) => {
                block.items().iter().map(|item| visit(item.as_ptr())).find(|&stop| stop != 0).unwrap_or(0)
            }
        }
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        match self.target() {
            Target::Nothing | Target::Int(_) => {}
            Target::Object(object) => std::mem::forget(object.to_owned()),
            Target::Block(block) => return Self::of_block(block.to_owned()),
        }
        Self(self.0)
    }
}

impl Drop for Key {
    #[inline]
    fn drop(&mut self) {
        match self.0.addr().get() & MARKS {
            // SAFETY: this key's own reference to an object, which ends here.
            0 => drop(unsafe { Owned::from_ptr(self.0.as_ptr().cast()) }),
            BLOCK => self.drop_block(),
            _ => {}
        }
    }
}

impl Key {
    #[inline(never)]
    fn drop_block(&self) {
        if let Target::Block(block) = self.target() {
            // SAFETY: this key's own reference, which ends here.
            unsafe { block.release(drop) };
        }
    }

    /// Gives up this key, and hands out the references that nobody else holds by it.
    pub fn take_apart(self, mut each: impl FnMut(Owned)) {
        let this = ManuallyDrop::new(self);
        match this.target() {
            Target::Nothing | Target::Int(_) => {}
            // SAFETY: this key's own reference, which it gives up, and does not use any more.
            Target::Object(object) => each(unsafe { Owned::from_ptr(object.as_ptr()) }),
            // SAFETY: as above.
            Target::Block(block) => unsafe { block.release(each) },
        }
    }
}
