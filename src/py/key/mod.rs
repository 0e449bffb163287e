//! What a call is remembered by.
//!
//! A call with one positional argument is remembered by that object alone. Any other shape gets a block of our own,
//! a plain piece of memory that only the entry knows: no user's object can be mistaken for one, and the collector sees
//! through it since the wrapper's traverse visits what it holds.

use crate::core::hash::{Combine, Hash, SCATTER};
use crate::ffi::exact::{self, Verdict};
use crate::ffi::sync::SharedCount;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, object};
use pyo3_ffi as py;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// Marks a pointer to a block.
const BLOCK: usize = 1;
/// Marks an exact `int` whose hash tells its value, so that equal hashes are equal keys. The value lies above the marks,
/// and the object is not needed any more: it may go, and no thread has to give back what another one made.
const TELLING: usize = 2;
/// The key of a call without arguments, which points to nothing.
const EMPTY: usize = 4;
const EMPTY_ADDRESS: NonZeroUsize = NonZeroUsize::new(EMPTY).unwrap();
const MARKS: usize = BLOCK | TELLING | EMPTY;
const MARK_BITS: u32 = MARKS.count_ones();
/// The hash of a call without arguments.
pub const EMPTY_HASH: Hash = Hash::of(SCATTER);

const _: () = assert!(align_of::<Head>() > MARKS && align_of::<py::PyObject>() > MARKS);
const _: () = assert!(exact::TELLING_BITS + 1 + MARK_BITS <= usize::BITS);

/// One key, owned: a pointer to an object or to a block, or an integer, marked in its low bits. Cloning it takes a reference.
/// Dropping it may run Python code.
pub struct Key(NonNull<u8>);

/// What a cache's keys are, which says when two of them are one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// Keys of a mapping, which meet where they are equal, as in a dict.
    Item,
    /// Arguments of calls. A lone one that is exactly an `int` or a `str` meets nothing of another type, as in functools, whose
    /// key for it is the argument itself, and for all else a tuple (`lru_cache_make_key` of Modules/_functoolsmodule.c).
    Call,
    /// Arguments of calls, which meet where their types agree too.
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
    fn tells_apart(self, stored: Borrowed<'_>, request: Borrowed<'_>) -> bool {
        match self {
            Self::Item => false,
            Self::Call => !(self.is_tuple_of(stored) && self.is_tuple_of(request)),
            Self::TypedCall => true,
        }
    }

    /// Whether functools' key for this lone argument would be a tuple of it, and not the argument itself.
    #[inline]
    pub fn is_tuple_of(self, argument: Borrowed<'_>) -> bool {
        self == Self::Call && !exact::is_int(argument) && !exact::is_str(argument)
    }
}

/// What a [`Key`] points to.
enum Target<'a> {
    Nothing,
    Int(i64),
    Object(Borrowed<'a>),
    Block(Block<'a>),
}

/// The hash of a call's arguments. Each is hashed once. Reenters: `__hash__`.
#[inline]
pub fn hash(args: &CallArgs<'_>, kind: KeyKind) -> Result<Hash> {
    if let Some(object) = args.single()
        && !needs_block(object, kind)
    {
        return exact::hash(object).map(Hash::of);
    }
    if args.values().is_empty() {
        return Ok(EMPTY_HASH);
    }
    let mut combined = Combine::new(shape_of(args));
    for &value in args.values() {
        combined = combined.with(exact::hash(value)?);
    }
    if let Some(names) = args.kwnames() {
        for &name in exact::tuple_items(names) {
            combined = combined.with(exact::hash(name)?);
        }
    }
    Ok(combined.finish())
}

/// [`hash`] of a call with so many positional arguments, more than one, and no others, where that takes no call.
#[inline(always)]
pub fn hash_in_place<const N: usize>(args: &[Borrowed<'_>; N]) -> Option<Hash> {
    const { assert!(N > 1) };
    let mut combined = Combine::new(N as u64);
    for &value in args {
        combined = combined.with(exact::hash_in_place(value)?);
    }
    Some(combined.finish())
}

/// [`hash`] of a call with keyword arguments, where that takes no call.
#[inline(always)]
pub fn hash_keywords_in_place(values: &[Borrowed<'_>], positional: usize, names: &[Borrowed<'_>]) -> Option<Hash> {
    let mut combined = Combine::new(shape(positional, names.len()));
    for &value in values {
        combined = combined.with(exact::hash_in_place(value)?);
    }
    for &name in names {
        if !exact::is_str(name) {
            return None;
        }
        // SAFETY: the type has just been seen.
        combined = combined.with(unsafe { exact::str_hash(name) }?);
    }
    Some(combined.finish())
}

/// The counts of positional and of keyword arguments, in one word. Zero for a call without any.
#[inline(always)]
const fn shape(positional: usize, keywords: usize) -> u64 {
    (keywords as u64) << 32 | positional as u64
}

fn shape_of(args: &CallArgs<'_>) -> u64 {
    let positional = args.positional().len();
    shape(positional, args.values().len() - positional)
}

/// A lone argument of a typed cache is remembered by itself only if its type tells and can't change.
#[inline(always)]
fn needs_block(object: Borrowed<'_>, kind: KeyKind) -> bool {
    kind.is_typed() && !exact::is_plain(object)
}

impl Key {
    /// A key for these arguments. Runs no Python code.
    #[inline(always)]
    pub fn new(args: &CallArgs<'_>, kind: KeyKind) -> Result<Self> {
        match args.single() {
            Some(object) if !needs_block(object, kind) => Ok(Self::of_object(object)),
            _ => Self::of_shape(args, kind.is_typed()),
        }
    }

    #[inline(never)]
    fn of_shape(args: &CallArgs<'_>, typed: bool) -> Result<Self> {
        match args.values().len() {
            0 => Ok(Self(NonNull::without_provenance(EMPTY_ADDRESS))),
            _ => Block::new_key(args, typed),
        }
    }

    /// The key of a lone argument that is an exact `int` of this value, which its hash tells.
    #[inline(always)]
    pub fn of_telling_int(value: i64) -> Self {
        debug_assert!(value.unsigned_abs() >> exact::TELLING_BITS == 0);
        let address = (value << MARK_BITS) as usize | TELLING;
        // SAFETY: the mark is not zero.
        Self(NonNull::without_provenance(unsafe { NonZeroUsize::new_unchecked(address) }))
    }

    #[inline(always)]
    fn of_object(object: Borrowed<'_>) -> Self {
        match exact::telling_value(object) {
            Some(value) => Self::of_telling_int(value),
            None => Self::marked(object.to_owned().into_ptr().cast(), 0),
        }
    }

    #[inline(always)]
    fn marked(pointer: *mut u8, mark: usize) -> Self {
        debug_assert!(!pointer.is_null() && pointer.addr() & MARKS == 0);
        // SAFETY: objects and blocks lie at addresses that are not null.
        Self(unsafe { NonNull::new_unchecked(pointer.map_addr(|address| address | mark)) })
    }

    /// Whether this is an exact `int` that equals every exact `int` of its hash, and nothing else of its type.
    #[inline(always)]
    pub fn is_telling_int(&self) -> bool {
        self.0.addr().get() & TELLING != 0
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

    /// Whether this is the key of a call with these very objects as positional arguments, and no others.
    #[inline(always)]
    pub fn is_of_positional<const N: usize>(&self, args: &[Borrowed<'_>; N], typed: bool) -> bool {
        let Some(block) = self.block_of_shape(N as u64) else {
            return false;
        };
        // SAFETY: the shape says that there are so many values, and types behind them in typed caches.
        let items = unsafe { block.first_items(if typed { 2 * N } else { N }) };
        let (items, types) = items.split_at(N);
        types.iter().zip(args).all(|(stored, request)| stored.as_ptr() == request.type_ptr().cast())
            && items.iter().zip(args).all(|(stored, request)| stored.is(*request))
    }

    /// Whether this is the key of a call with these very objects, in a cache that is not typed, under keyword names that
    /// are this very tuple.
    #[inline(always)]
    pub fn is_of_keywords(&self, values: &[Borrowed<'_>], positional: usize, names: Borrowed<'_>) -> bool {
        let shape = shape(positional, values.len() - positional);
        let Some(block) = self.block_of_shape(shape) else {
            return false;
        };
        // SAFETY: the shape says that there are so many values, and the tuple of names behind them.
        let items = unsafe { block.first_items(values.len() + 1) };
        items[values.len()].is(names) && items.iter().zip(values).all(|(stored, request)| stored.is(*request))
    }

    #[inline(always)]
    fn block_of_shape(&self, shape: u64) -> Option<Block<'_>> {
        if self.0.addr().get() & BLOCK == 0 {
            return None;
        }
        let head = self.0.as_ptr().map_addr(|address| address - BLOCK);
        // SAFETY: with the mark it is a block, and this key holds a reference to it.
        let block = Block(unsafe { NonNull::new_unchecked(head.cast()) }, PhantomData);
        (block.head().shape == shape).then_some(block)
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
            BLOCK => {
                let head = self.0.as_ptr().map_addr(|address| address - BLOCK);
                // SAFETY: with the mark it is a block, and this key holds a reference to it.
                Target::Block(Block(unsafe { NonNull::new_unchecked(head.cast()) }, PhantomData))
            }
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
            Target::Int(value) => match args.single() {
                Some(request) if exact::is_int(request) => Verdict::of(exact::telling_value(request) == Some(value)),
                Some(_) if kind == KeyKind::Item => Verdict::Ask,
                _ => Verdict::Different,
            },
            Target::Object(stored) => match args.single() {
                Some(request) if stored.type_ptr() != request.type_ptr() && kind.tells_apart(stored, request) => {
                    Verdict::Different
                }
                Some(request) => exact::compare(stored, request),
                None => Verdict::Different,
            },
            Target::Block(block) => block.compare(args),
        }
    }

    /// Whether this key stands for these arguments. Reenters: `__eq__` of what is stored and of the arguments.
    pub fn equals(&self, args: &CallArgs<'_>) -> Result<bool> {
        match self.target() {
            Target::Nothing => Ok(args.values().is_empty()),
            Target::Int(value) => match args.single() {
                Some(request) => object::int(value)?.borrow().equals(request),
                None => Ok(false),
            },
            Target::Object(stored) => args.single().map_or(Ok(false), |request| stored.equals(request)),
            Target::Block(block) => block.equals(args),
        }
    }

    /// A key of the same objects that shares no block with this one. Runs no Python code. None without memory.
    pub fn duplicate(&self) -> Option<Self> {
        match self.target() {
            Target::Block(block) => block.duplicate(),
            Target::Nothing | Target::Int(_) | Target::Object(_) => Some(self.clone()),
        }
    }

    /// The key as callbacks see it: the one positional argument, or a tuple of several; with keyword arguments a tuple of that
    /// tuple and a dict.
    pub fn to_object(&self) -> Result<Owned> {
        match self.target() {
            Target::Nothing => object::tuple(&[]),
            Target::Int(value) => object::int(value),
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
            Target::Block(block) => block.head().references.add(),
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
            block.release(drop);
        }
    }

    /// Gives up this key, and hands out the references that nobody else holds by it.
    pub fn take_apart(self, mut each: impl FnMut(Owned)) {
        let this = ManuallyDrop::new(self);
        match this.target() {
            Target::Nothing | Target::Int(_) => {}
            // SAFETY: this key's own reference, which it gives up.
            Target::Object(object) => each(unsafe { Owned::from_ptr(object.as_ptr()) }),
            Target::Block(block) => block.release(each),
        }
    }
}

/// The head of a block. Behind it lie the values, the tuple of keyword names if there are keywords, and the values'
/// types if the cache is typed; each is a reference of the block's own.
#[repr(C, align(8))]
struct Head {
    /// As of [`shape_of`].
    shape: u64,
    references: SharedCount,
    typed: bool,
}

const _: () = assert!(size_of::<Head>() == 16);

impl Head {
    #[inline(always)]
    fn values(&self) -> usize {
        (self.shape as u32) as usize + self.keywords()
    }

    #[inline(always)]
    fn keywords(&self) -> usize {
        (self.shape >> 32) as usize
    }
}

/// A call of any shape, seen through a key that holds it for `'a`.
#[derive(Clone, Copy)]
struct Block<'a>(NonNull<Head>, PhantomData<&'a Head>);

impl<'a> Block<'a> {
    fn new_key(args: &CallArgs<'_>, typed: bool) -> Result<Key> {
        let values = args.values();
        let types = values.iter().filter(|_| typed).map(|value| {
            // SAFETY: a live object's type is live.
            unsafe { Borrowed::from_ptr(value.type_ptr().cast()) }
        });
        let count = values.len() + usize::from(args.kwnames().is_some()) + if typed { values.len() } else { 0 };
        let items = values.iter().copied().chain(args.kwnames()).chain(types);
        Self::write(shape_of(args), typed, count, items).ok_or_else(Raised::no_memory)
    }

    /// See [`Key::duplicate`].
    fn duplicate(self) -> Option<Key> {
        let items = self.items();
        Self::write(self.head().shape, self.head().typed, items.len(), items.iter().copied())
    }

    /// A new block of so many items.
    fn write<'b>(shape: u64, typed: bool, count: usize, items: impl Iterator<Item = Borrowed<'b>>) -> Option<Key> {
        // SAFETY: a size that fits, since the arguments themselves lie in memory.
        let pointer = unsafe { py::PyMem_Malloc(size_of::<Head>() + count * size_of::<Owned>()) };
        let head = NonNull::new(pointer.cast::<Head>())?;
        let fields = Head { shape, references: SharedCount::one(), typed };
        // SAFETY: fresh memory of that size and alignment.
        unsafe { head.write(fields) };
        // SAFETY: the items begin behind the head, in the same memory.
        let mut at = unsafe { head.add(1) }.cast::<Owned>();
        for item in items {
            // SAFETY: `count` of them.
            unsafe { at.write(item.to_owned()) };
            // SAFETY: as above.
            at = unsafe { at.add(1) };
        }
        Some(Key::marked(head.as_ptr().cast(), BLOCK))
    }

    /// Gives one reference to the block back, and with the last one the block. What it held is handed out.
    fn release(self, mut each: impl FnMut(Owned)) {
        if !self.head().references.remove() {
            return;
        }
        for &item in self.items() {
            // SAFETY: the block's own references, given up one by one; nobody else can reach the block.
            each(unsafe { Owned::from_ptr(item.as_ptr()) });
        }
        // SAFETY: memory of `PyMem_Malloc`, used no more.
        unsafe { py::PyMem_Free(self.0.as_ptr().cast()) };
    }

    #[inline(always)]
    fn head(self) -> &'a Head {
        // SAFETY: the key holds the block for 'a, and nothing but its count changes.
        unsafe { self.0.as_ref() }
    }

    /// # Safety
    /// There are so many items behind the head.
    #[inline(always)]
    unsafe fn first_items(self, count: usize) -> &'a [Borrowed<'a>] {
        // SAFETY: the items lie behind the head, in the same memory.
        let first = unsafe { self.0.add(1) }.cast::<Borrowed<'a>>();
        // SAFETY: so many references were written in `new_key`, and they stand as long as the block.
        unsafe { std::slice::from_raw_parts(first.as_ptr(), count) }
    }

    #[inline(always)]
    fn items(self) -> &'a [Borrowed<'a>] {
        let head = self.head();
        let count = head.values() * (1 + usize::from(head.typed)) + usize::from(head.keywords() > 0);
        // SAFETY: as many as `new_key` wrote.
        unsafe { self.first_items(count) }
    }

    /// See [`Key::to_object`].
    fn to_object(self) -> Result<Owned> {
        let (items, values) = (self.items(), self.head().values());
        let keywords = self.head().keywords();
        let (positional, named) = items[..values].split_at(values - keywords);
        if keywords == 0 {
            // A lone argument has a block in typed caches.
            return if let &[only] = positional { Ok(only.to_owned()) } else { object::tuple(positional) };
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
        object::tuple(&[object::tuple(positional)?.borrow(), dict.borrow()])
    }

    /// Whether the types agree, where they count.
    #[inline(always)]
    fn has_types_of(self, args: &CallArgs<'_>) -> bool {
        let head = self.head();
        let types = &self.items()[head.values() + usize::from(head.keywords() > 0)..];
        types.iter().zip(args.values()).all(|(stored, request)| stored.as_ptr() == request.type_ptr().cast())
    }

    #[inline(always)]
    fn compare(self, args: &CallArgs<'a>) -> Verdict {
        if self.head().shape != shape_of(args) || self.head().typed && !self.has_types_of(args) {
            return Verdict::Different;
        }
        let values = args.values();
        // SAFETY: the shapes agree, so there are as many values, and the names behind them if there are names.
        let items = unsafe { self.first_items(values.len() + usize::from(args.kwnames().is_some())) };
        let verdict = compare_all(items, values);
        match args.kwnames() {
            // One call site has one tuple of names: most often there is nothing to compare.
            Some(names) if verdict != Verdict::Different && !items[values.len()].is(names) => {
                let verdict_on_names = compare_all(exact::tuple_items(items[values.len()]), exact::tuple_items(names));
                if verdict_on_names == Verdict::Same { verdict } else { verdict_on_names }
            }
            _ => verdict,
        }
    }

    /// Reenters: `__eq__`. The caller's key holds the block.
    fn equals(self, args: &CallArgs<'a>) -> Result<bool> {
        if self.head().shape != shape_of(args) || !self.has_types_of(args) {
            return Ok(false);
        }
        let items = self.items();
        for (stored, &request) in items.iter().zip(args.values()) {
            if !stored.equals(request)? {
                return Ok(false);
            }
        }
        if let Some(names) = args.kwnames() {
            let stored_names = exact::tuple_items(items[args.values().len()]);
            for (stored, &request) in stored_names.iter().zip(exact::tuple_items(names)) {
                if !stored.equals(request)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// The verdict on as many objects as were request for, each beside the stored one of its place.
#[inline(always)]
fn compare_all(stored: &[Borrowed<'_>], request: &[Borrowed<'_>]) -> Verdict {
    exact::all_of(stored.iter().zip(request).map(|(&stored, &request)| exact::compare(stored, request)))
}
