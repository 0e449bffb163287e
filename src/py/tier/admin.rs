//! Looking after regions, for `python -m tamis shared`: what is there, what is in one, clearing and removing.
//!
//! A directory is a `str`, or None for the user's own in `/dev/shm`; a region is named by its file there.

use crate::backend::Backend;
use crate::core::clock::{NEVER, Time};
use crate::ffi::exact::{Exact, Int};
use crate::ffi::method_table::{methods, with_arguments};
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, clock, exact, read, thread};
use crate::py::codec;
use crate::py::tier::errors::{busy, raised_for};
use crate::py::tier::source::Detached;
use crate::py::tier::stats::all_counts;
use crate::shm::{EntryInfo, OpenError, Region, RegionInfo, RegionState, RegionSummary};
use pyo3_ffi as py;
use std::ffi::CStr;
use std::path::PathBuf;

/// An argument's directory.
fn directory(argument: Borrowed<'_>) -> Result<PathBuf> {
    if argument.is_none() {
        return Region::default_path().map_err(raised_for);
    }
    if !exact::is_str(argument) {
        return Err(Raised::type_error(c"a directory is a str or None"));
    }
    read::path(argument)
}

/// The directory and the file that two arguments name.
fn region(dir: Borrowed<'_>, file: Borrowed<'_>) -> Result<(PathBuf, String)> {
    if !exact::is_str(file) {
        return Err(Raised::type_error(c"a region's file is a str"));
    }
    Ok((directory(dir)?, read::text(file)?))
}

/// Runs what asks the system, with this thread detached.
fn ask<T>(work: impl FnOnce() -> std::result::Result<T, OpenError>) -> Result<T> {
    thread::detached(work).map_err(raised_for)
}

fn put(dict: &Owned, name: &CStr, value: &Owned) -> Result<()> {
    build::set_item(dict, build::interned(name)?.borrow(), value.borrow())
}

fn optional<T>(value: Option<T>, make: impl FnOnce(T) -> Result<Owned>) -> Result<Owned> {
    value.map_or_else(|| Ok(build::none()), make)
}

fn list_of<T>(items: &[T], make: impl Fn(&T) -> Result<Owned>) -> Result<Owned> {
    let made = items.iter().map(make).collect::<Result<Vec<_>>>()?;
    let mut filling = build::Filling::new(made.len(), true)?;
    made.into_iter().for_each(|item| filling.push(item));
    Ok(filling.done())
}

/// Seconds from then until now. None: before this clock began, or after now.
fn age(then: Time, now: Time) -> Option<f64> {
    (then > 0).then(|| now.saturating_sub(then) as f64 / 1e9)
}

/// Seconds until then, negative if it is past. None: never.
fn until(then: Time, now: Time) -> Option<f64> {
    (then != NEVER).then(|| (i128::from(then) - i128::from(now)) as f64 / 1e9)
}

/// `_regions(path)`: the directory, and a list of a dict for each region file there, or None if there is no directory.
fn regions(_module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    let [dir] = *args.values() else { return Err(Raised::type_error(c"_regions() takes a directory")) };
    let dir = directory(dir)?;
    let infos = ask(|| Region::list(&dir))?;
    let now = clock::exact();
    let regions = optional(infos, |infos| list_of(&infos, |info| region_dict(info, now)))?;
    build::tuple(&[build::string(&dir.to_string_lossy())?.borrow(), regions.borrow()])
}

fn region_dict(info: &RegionInfo, now: Time) -> Result<Owned> {
    let (state, why) = match &info.state {
        RegionState::Good if info.summary.as_ref().is_some_and(|summary| !summary.processes.is_empty()) => {
            ("in use", None)
        }
        RegionState::Good => ("idle", None),
        RegionState::EarlierBoot => ("earlier boot", None),
        RegionState::OtherNamespace => ("other namespace", None),
        RegionState::OtherLayout => ("other layout", None),
        RegionState::Damaged => ("damaged", None),
        RegionState::Refused(why) => ("refused", Some(why)),
    };
    let dict = build::dict()?;
    put(&dict, c"file", &build::string(&info.file)?)?;
    put(&dict, c"state", &build::string(state)?)?;
    put(&dict, c"why", &optional(why, |why| build::string(why))?)?;
    put(&dict, c"made", &optional(info.made, build::float)?)?;
    put(&dict, c"written", &optional(info.written, build::float)?)?;
    if let Some(summary) = &info.summary {
        let known = matches!(info.state, RegionState::Good);
        put(&dict, c"name", &build::string(&summary.name)?)?;
        put(&dict, c"maxsize", &optional(summary.config.maxsize, build::count)?)?;
        put(&dict, c"max_bytes", &build::count(summary.config.max_bytes)?)?;
        put(&dict, c"file_bytes", &build::count(summary.file_bytes)?)?;
        let processes = |summary: &RegionSummary| list_of(&summary.processes, |&pid| build::count(pid.into()));
        put(&dict, c"processes", &optional(Some(summary).filter(|_| known), processes)?)?;
        let last = summary.last.filter(|_| !matches!(info.state, RegionState::EarlierBoot));
        put(&dict, c"last", &optional(last.and_then(|last| age(last, now)), build::float)?)?;
        put(&dict, c"stats", &all_counts(&summary.stats)?)?;
    }
    Ok(dict)
}

/// `_region_entries(path, file, most, with_values)`: a list of a dict for each of its newest entries, or None if there is no
/// such region. Runs nobody's code: values stay bytes.
fn region_entries(_module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    let [dir, file, most, with_values] = *args.values() else {
        return Err(Raised::type_error(c"_region_entries() takes a directory, a file, a number and a bool"));
    };
    let ((dir, file), with_values) = (region(dir, file)?, with_values.is_true()?);
    let Some(most) = Exact::<Int>::of(most) else {
        return Err(Raised::type_error(c"a number of entries is an int"));
    };
    let most = match (most.sign(), most.digits()) {
        (1, &[most]) => most as usize,
        (1, _) => usize::MAX,
        _ => 0,
    };
    let entries = ask(|| Region::entries(&dir, &file, most, with_values))?;
    let now = clock::exact();
    optional(entries, |entries| list_of(&entries, |entry| entry_dict(entry, now, with_values)))
}

fn entry_dict(entry: &EntryInfo, now: Time, with_value: bool) -> Result<Owned> {
    let dict = build::dict()?;
    put(&dict, c"key", &build::bytes(&entry.key)?)?;
    put(&dict, c"size", &build::count(entry.size as u64)?)?;
    put(&dict, c"maker", &build::string(codec::format::maker(entry.first))?)?;
    put(&dict, c"value", &optional(Some(&entry.value).filter(|_| with_value), |value| build::bytes(value))?)?;
    put(&dict, c"age", &optional(age(entry.read, now), build::float)?)?;
    put(&dict, c"fresh", &optional(until(entry.terms.fresh_until, now), build::float)?)?;
    put(&dict, c"stale", &optional(until(entry.terms.stale_until, now), build::float)?)?;
    let idle = (entry.terms.idle != NEVER).then_some(entry.terms.idle as f64 / 1e9);
    put(&dict, c"idle", &optional(idle, build::float)?)?;
    put(&dict, c"visited", &build::boolean(entry.visited))?;
    Ok(dict)
}

/// `_region_clear(path, file)`: how many entries it had, or None if there is no such region, or it can't be used as it is.
fn region_clear(_module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    let [dir, file] = *args.values() else {
        return Err(Raised::type_error(c"_region_clear() takes a directory and a file"));
    };
    let (dir, file) = region(dir, file)?;
    let Some(region) = ask(|| Region::open_file(&dir, &file))? else { return Ok(build::none()) };
    let entries = region.stats().currsize;
    region.clear(&Detached).map_err(busy)?;
    build::count(entries)
}

/// `_region_remove(path, file)`: whether there was one.
fn region_remove(_module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    let [dir, file] = *args.values() else {
        return Err(Raised::type_error(c"_region_remove() takes a directory and a file"));
    };
    let (dir, file) = region(dir, file)?;
    Ok(build::boolean(ask(|| Region::remove_file(&dir, &file))?))
}

methods! {
    Borrowed<'_>:
    regions_fastcall = |module, args| regions(module, &args);
    region_entries_fastcall = |module, args| region_entries(module, &args);
    region_clear_fastcall = |module, args| region_clear(module, &args);
    region_remove_fastcall = |module, args| region_remove(module, &args);
}

/// The module's functions for regions.
pub const FUNCTIONS: [py::PyMethodDef; 4] = [
    with_arguments(c"_regions", regions_fastcall, c"(directory, regions or None) of a directory or None."),
    with_arguments(c"_region_entries", region_entries_fastcall, c"The newest entries of a region, or None."),
    with_arguments(c"_region_clear", region_clear_fastcall, c"Clear a region: the number of its entries, or None."),
    with_arguments(c"_region_remove", region_remove_fastcall, c"Remove a region: whether there was one."),
];
