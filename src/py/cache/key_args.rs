//! Which arguments make a key.

use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call, exact};
use pyo3_ffi as py;

/// Which arguments are left out of the key: see `tamis/_signature.py`.
pub struct Ignored {
    /// The first places that are left out, as bits.
    mask: u64,
    places: Vec<usize>,
    rest_from: usize,
    names: Owned,
    collected_beside: Option<Owned>,
}

impl Ignored {
    /// The place of the only positional argument of so many that is not left out.
    #[inline(always)]
    pub fn only_place(&self, count: usize) -> Option<usize> {
        if count >= u64::BITS as usize {
            return None;
        }
        let kept = !self.mask & ((1 << count) - 1);
        kept.is_power_of_two().then_some(kept.trailing_zeros() as usize)
    }

    /// Those of these names, among the parameters of this function, which may be a `method` without its first one. Reenters: the
    /// function's signature.
    pub fn of(function: Borrowed<'_>, method: Option<Borrowed<'_>>, names: &Owned) -> Result<Self> {
        let resolve = call::import(c"tamis._signature", c"ignored")?;
        let is_method = build::boolean(method.is_some());
        let arguments = [method.unwrap_or(function), names.borrow(), is_method.borrow()];
        let answer = call::with(resolve.borrow(), &arguments)?;
        let &[places, rest, names, collected_beside] = exact::tuple_items(answer.borrow()) else {
            return Err(Raised::type_error(c"tamis._signature.ignored must return four values"));
        };
        let index = |object: Borrowed<'_>| {
            // SAFETY: an int, as the function returns.
            unsafe { py::PyLong_AsSsize_t(object.as_ptr()) }
        };
        let places: Vec<_> = exact::tuple_items(places).iter().map(|&place| index(place) as usize).collect();
        // -1 becomes larger than any count.
        let rest_from = index(rest) as usize;
        let is_left_out = |place: &usize| *place >= rest_from || places.contains(place);
        Ok(Self {
            mask: (0..u64::BITS as usize).filter(is_left_out).fold(0, |mask, place| mask | 1 << place),
            places,
            rest_from,
            names: names.to_owned(),
            collected_beside: (!collected_beside.is_none()).then(|| collected_beside.to_owned()),
        })
    }

    /// Whether the keyword argument of this name is left out. Names are exact `str` in calls that Python code makes.
    fn leaves_out(&self, name: Borrowed<'_>) -> Result<bool> {
        let is_in = |set: &Owned| {
            // SAFETY: a frozenset and a live object.
            match unsafe { py::PySet_Contains(set.as_ptr(), name.as_ptr()) } {
                -1 => Err(Raised::by_callee()),
                answer => Ok(answer != 0),
            }
        };
        Ok(is_in(&self.names)? || matches!(&self.collected_beside, Some(known) if !is_in(known)?))
    }

    /// Runs `work` on the arguments that are not left out. Reenters: as `work` does.
    pub fn with_rest<R>(&self, args: &CallArgs<'_>, work: impl FnOnce(&CallArgs<'_>) -> Result<R>) -> Result<R> {
        let kept = |&(place, _): &(usize, &Borrowed<'_>)| place < self.rest_from && !self.places.contains(&place);
        let positional = args.positional();
        let mut values: Vec<Borrowed<'_>> =
            positional.iter().enumerate().filter(kept).map(|(_, &value)| value).collect();
        let count = values.len();
        let names = args.names();
        let mut kept_names = Vec::new();
        for (&name, &value) in names.iter().zip(&args.values()[positional.len()..]) {
            if !self.leaves_out(name)? {
                kept_names.push(name);
                values.push(value);
            }
        }
        let tuple = match args.kwnames() {
            Some(tuple) if kept_names.len() == names.len() => Some(tuple.object().to_owned()),
            _ if kept_names.is_empty() => None,
            _ => Some(build::tuple(&kept_names)?),
        };
        work(&CallArgs::of(&values, count, tuple.as_ref().map(Owned::borrow)))
    }
}
