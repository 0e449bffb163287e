//! All types of the module, made once for each interpreter.

use crate::ffi::{Borrowed, Owned, Result};
use crate::py::flight::{task, task_deadlock, thread};
use crate::py::tier::remote::watch;
use crate::py::{bound, cached_method, completed, entry, function, mapping};
use crate::state::Types;
use std::ffi::CStr;

/// Makes them for this copy of the module.
pub fn make(module: Borrowed<'_>) -> Result<Types> {
    Ok(Types {
        function: function::slots::make_type(module)?,
        coroutine_function: function::slots::make_coroutine_type(module)?,
        entry: entry::make_type(module)?,
        completed_coroutine: completed::make_type(module)?,
        refresh_job: function::background::make_type(module)?,
        coroutine_call: function::coroutine_protocol::make_type(module)?,
        task_flight: task::make_type(module)?,
        led: task_deadlock::make_type(module)?,
        method: cached_method::slots::make_type(module)?,
        coroutine_method: cached_method::slots::make_coroutine_type(module)?,
        forget: cached_method::forget::make_forget_type(module)?,
        bound_method: bound::slots::make_type(module)?,
        weak_method: bound::slots::make_weak_type(module)?,
        class_method: bound::class_method::make_class_type(module)?,
        flight: thread::make_type(module)?,
        mapping: mapping::slots::make_type(module)?,
        watch: watch::make_type(module)?,
    })
}

/// Those that the module has under a name.
pub fn named(types: &Types) -> [(&'static CStr, &Owned); 7] {
    [
        (c"lru_cache_wrapper", &types.function),
        (c"async_lru_cache_wrapper", &types.coroutine_function),
        (c"cached_method_wrapper", &types.method),
        (c"async_cached_method_wrapper", &types.coroutine_method),
        (c"bound_method", &types.bound_method),
        (c"class_method", &types.class_method),
        (c"SieveCacheBase", &types.mapping),
    ]
}
