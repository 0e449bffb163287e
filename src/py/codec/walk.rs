//! The one walk over items that makes bytes of them, for values and for keys.

use crate::ffi::exact::{Bool, ByteArray, Bytes, Complex, Dict, Exact, Float, FrozenSet, Int, List, Set, Str, Tuple};
use crate::ffi::read::AnySet;
use crate::ffi::{Borrowed, Raised, exact, read};
use crate::py::codec::format::{MOST_DEPTH, tag};
use crate::py::codec::out::{Out, TooLarge};

/// What differs between the bytes of values and those of keys.
pub trait Form: Sized {
    /// Whether the items of sets are sorted by their bytes: their own order differs with the hash seed.
    const SORTS_SETS: bool;
    /// Whether lists, dicts, sets and bytearrays are written as such.
    const WRITES_MUTABLE: bool;

    /// The form of an item of a set.
    fn for_item_of_set(&self) -> Self;

    /// Whether this mutable object has not been met before.
    fn is_new(&mut self, object: Borrowed<'_>) -> bool;

    fn boolean(out: &mut Out<'_>, value: bool) -> Result<(), TooLarge>;

    fn float(out: &mut Out<'_>, value: f64) -> Result<(), TooLarge>;

    fn complex(out: &mut Out<'_>, real: f64, imaginary: f64) -> Result<(), TooLarge>;

    /// What is of no type that the walk knows, or nests too deep.
    fn other(encoder: &mut Encoder<'_, Self>, value: Borrowed<'_>) -> Step;
}

/// Why a walk ends early.
pub enum Stop {
    /// There is no room for the bytes.
    TooLarge,
    /// Something has no such bytes.
    Other,
    /// An exception is set.
    Raised(Raised),
}

impl From<TooLarge> for Stop {
    fn from(_: TooLarge) -> Self {
        Self::TooLarge
    }
}

impl From<Raised> for Stop {
    fn from(raised: Raised) -> Self {
        Self::Raised(raised)
    }
}

/// The outcome of a part of the walk.
pub type Step = Result<(), Stop>;

/// A walk.
pub struct Encoder<'a, F> {
    /// Where the bytes go.
    pub out: Out<'a>,
    /// Whose bytes they are.
    pub form: F,
}

impl<F: Form> Encoder<'_, F> {
    /// One item, which lies in so many containers. Runs no Python code but that of [`Form::other`], and of the collector, which may
    /// run inside of an allocation.
    #[inline]
    pub fn item(&mut self, value: Borrowed<'_>, depth: u32) -> Step {
        if let Some(string) = Exact::<Str>::of(value) {
            return read::with_characters(string, |characters| self.out.characters(characters))?.map_err(Stop::from);
        }
        if let Some(int) = Exact::<Int>::of(value) {
            let written = match int.short() {
                Some(value) => self.out.int(value),
                None => self.out.digits(int.digits(), int.sign() < 0),
            };
            return written.map_err(Stop::from);
        }
        if value.is_none() {
            return Ok(self.out.byte(tag::NONE)?);
        }
        if let Some(float) = Exact::<Float>::of(value) {
            return Ok(F::float(&mut self.out, float.value())?);
        }
        if Exact::<Bool>::of(value).is_some() {
            return Ok(F::boolean(&mut self.out, value.is_true()?)?);
        }
        if let Some(bytes) = Exact::<Bytes>::of(value) {
            return Ok(self.out.sized(tag::BYTES, bytes.content())?);
        }
        self.container(value, depth)
    }

    #[inline(never)]
    fn container(&mut self, value: Borrowed<'_>, depth: u32) -> Step {
        if let Some(complex) = Exact::<Complex>::of(value) {
            let (real, imaginary) = complex.parts();
            return Ok(F::complex(&mut self.out, real, imaginary)?);
        }
        if depth == MOST_DEPTH {
            return F::other(self, value);
        }
        if let Some(tuple) = Exact::<Tuple>::of(value) {
            let items = tuple.items();
            self.out.counted(tag::TUPLE, items.len())?;
            return items.iter().try_for_each(|&item| self.item(item, depth + 1));
        }
        if let Some(set) = Exact::<FrozenSet>::of(value) {
            return self.set(tag::FROZENSET, set.into(), depth);
        }
        if F::WRITES_MUTABLE { self.mutable(value, depth) } else { F::other(self, value) }
    }

    fn mutable(&mut self, value: Borrowed<'_>, depth: u32) -> Step {
        if !exact::is_list(value) && !exact::is_dict(value) && !exact::is_set(value) && !exact::is_bytearray(value) {
            return F::other(self, value);
        }
        if !self.form.is_new(value) {
            // The copy is to have one object here too, or it is a ring.
            return Err(Stop::Other);
        }
        if let Some(list) = Exact::<List>::of(value) {
            self.list(list, depth)
        } else if let Some(dict) = Exact::<Dict>::of(value) {
            self.dict(dict, depth)
        } else if let Some(set) = Exact::<Set>::of(value) {
            self.set(tag::SET, set.into(), depth)
        } else if let Some(array) = Exact::<ByteArray>::of(value) {
            self.bytearray(array)
        } else {
            F::other(self, value)
        }
    }

    fn bytearray(&mut self, value: Exact<'_, ByteArray>) -> Step {
        let mut written = Ok(());
        let room = self.out.most.saturating_sub(self.out.bytes.len());
        let fits = read::with_bytearray(value, room, |bytes| written = self.out.sized(tag::BYTEARRAY, bytes))?;
        written?;
        if fits { Ok(()) } else { Err(Stop::TooLarge) }
    }

    fn list(&mut self, value: Exact<'_, List>, depth: u32) -> Step {
        let items = read::own_list(value)?;
        let count = items.len();
        self.out.counted(tag::LIST, count)?;
        for at in 0..count {
            let Some(item) = items.get(at) else { return Err(Stop::Other) };
            self.item(item.borrow(), depth + 1)?;
        }
        // Finalizers may have changed it.
        if items.len() == count { Ok(()) } else { Err(Stop::Other) }
    }

    fn dict(&mut self, value: Exact<'_, Dict>, depth: u32) -> Step {
        let own = read::own_dict(value)?;
        let count = own.len();
        self.out.counted(tag::DICT, count)?;
        let mut seen = 0;
        for (key, value) in own.items() {
            self.item(key.borrow(), depth + 1)?;
            self.item(value.borrow(), depth + 1)?;
            seen += 1;
        }
        if seen == count && own.len() == count { Ok(()) } else { Err(Stop::Other) }
    }

    fn set(&mut self, tag: u8, value: AnySet<'_>, depth: u32) -> Step {
        let count = value.len();
        self.out.counted(tag, count)?;
        let mut seen = 0;
        let mut sorted = Vec::new();
        for item in value.items()? {
            let item = item?;
            seen += 1;
            if !F::SORTS_SETS {
                self.item(item.borrow(), depth + 1)?;
                continue;
            }
            let mut bytes = Vec::new();
            let out = Out { bytes: &mut bytes, most: self.out.most };
            Encoder { out, form: self.form.for_item_of_set() }.item(item.borrow(), depth + 1)?;
            sorted.push(bytes);
        }
        sorted.sort_unstable();
        sorted.iter().try_for_each(|bytes| self.out.slice(bytes))?;
        if seen == count { Ok(()) } else { Err(Stop::Other) }
    }
}
