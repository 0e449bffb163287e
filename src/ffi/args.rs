//! A view of the arguments of a call, as vectorcall hands them over (PEP 590).

use super::exact::{Exact, Tuple};
use super::reference::Borrowed;
use pyo3_ffi as py;

/// The arguments of one call, all held by the caller until it returns.
#[derive(Clone, Copy)]
pub struct CallArgs<'a> {
    /// Positional arguments, then the values of the keyword arguments.
    values: &'a [Borrowed<'a>],
    positional: usize,
    kwnames: Option<Exact<'a, Tuple>>,
}

impl<'a> CallArgs<'a> {
    /// # Safety
    /// The arguments are what CPython handed to a slot of vectorcall's form, or to a method with the flags
    /// `METH_FASTCALL | METH_KEYWORDS`, and that call has not returned during `'a`.
    #[inline(always)]
    pub unsafe fn new(args: *const *mut py::PyObject, positional: usize, kwnames: *mut py::PyObject) -> Self {
        let kwnames = if kwnames.is_null() {
            None
        } else {
            // SAFETY: not null, and held by the caller.
            let names = unsafe { Borrowed::from_ptr(kwnames) };
            // SAFETY: a tuple, as vectorcall has it.
            Some(unsafe { Exact::<Tuple>::of_seen(names) }).filter(|names| !names.items().is_empty())
        };
        let count = positional + kwnames.map_or(0, |names| names.items().len());
        let values = if count == 0 {
            &[]
        } else {
            // SAFETY: so many arguments, none of them null; `Borrowed` is a pointer in all but name.
            unsafe { std::slice::from_raw_parts(args.cast(), count) }
        };
        Self { values, positional, kwnames }
    }

    /// As [`CallArgs::new`], with the count as vectorcall gives it, its flag included.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub unsafe fn of_vectorcall(args: *const *mut py::PyObject, nargsf: usize, kwnames: *mut py::PyObject) -> Self {
        // SAFETY: as the caller says.
        unsafe { Self::new(args, nargsf & !py::PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames) }
    }

    /// These arguments, of which so many are positional; the others are for the names, a tuple of as many.
    pub fn of(values: &'a [Borrowed<'a>], positional: usize, kwnames: Option<Borrowed<'a>>) -> Self {
        let kwnames = kwnames.and_then(Exact::<Tuple>::of).filter(|names| !names.items().is_empty());
        assert!(
            values.len() == positional + kwnames.map_or(0, |names| names.items().len()),
            "a name for each keyword argument"
        );
        Self { values, positional, kwnames }
    }

    /// These positional arguments and no others.
    pub fn of_positional(values: &'a [Borrowed<'a>]) -> Self {
        Self::of(values, values.len(), None)
    }

    /// Positional arguments, then the values of the keyword arguments.
    #[inline(always)]
    pub fn values(&self) -> &'a [Borrowed<'a>] {
        self.values
    }

    /// The positional arguments.
    #[inline(always)]
    pub fn positional(&self) -> &'a [Borrowed<'a>] {
        &self.values[..self.positional]
    }

    /// The tuple of the names of the keyword arguments, in call order. Not empty.
    #[inline(always)]
    pub fn kwnames(&self) -> Option<Exact<'a, Tuple>> {
        self.kwnames
    }

    /// The names of the keyword arguments, in call order.
    #[inline(always)]
    pub fn names(&self) -> &'a [Borrowed<'a>] {
        self.kwnames.map_or(&[][..], Exact::items)
    }

    /// The only argument, if there is one, and it is positional.
    #[inline(always)]
    pub fn single(&self) -> Option<Borrowed<'a>> {
        match self.values {
            [only] if self.positional == 1 => Some(*only),
            _ => None,
        }
    }

    /// These arguments without the first positional one.
    pub fn split_first(self) -> Option<(Borrowed<'a>, Self)> {
        let (first, values) = self.values.split_first()?;
        (self.positional > 0).then(|| (*first, Self { values, positional: self.positional - 1, ..self }))
    }

    /// Hands `work` these arguments behind another positional one. Keeps them on the stack while they are few.
    #[inline(always)]
    pub fn behind<R>(&self, first: Borrowed<'_>, work: impl FnOnce(&CallArgs<'_>) -> R) -> R {
        const FEW: usize = 6;
        let count = self.values.len() + 1;
        let mut few = [first; FEW];
        let mut many = Vec::new();
        let values = if count <= FEW {
            few[1..count].copy_from_slice(self.values);
            &few[..count]
        } else {
            many.reserve_exact(count);
            many.push(first);
            many.extend_from_slice(self.values);
            &many[..]
        };
        work(&CallArgs { values, positional: self.positional + 1, kwnames: self.kwnames })
    }

    /// What C wants to see of them: pointer, count of positional arguments, names or null.
    pub fn as_raw(&self) -> (*const *mut py::PyObject, usize, *mut py::PyObject) {
        let names = self.kwnames.map_or(std::ptr::null_mut(), |names| names.object().as_ptr());
        (self.values.as_ptr().cast(), self.positional, names)
    }
}
