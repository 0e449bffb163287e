//! All types of the module, made once for each interpreter.

use super::{awaitable, bound, entry, flight, mapping, method, task_flight, wrapper};
use crate::ffi::{Borrowed, Owned, Result};
use crate::state::Types;
use std::ffi::CStr;

/// Makes them for this copy of the module.
pub fn make(module: Borrowed<'_>) -> Result<Types> {
    Ok(Types {
        function: wrapper::make_type(module)?,
        coroutine_function: wrapper::make_coroutine_type(module)?,
        entry: entry::make_type(module)?,
        completed_coroutine: awaitable::make_type(module)?,
        coroutine_call: wrapper::make_coroutine_call_type(module)?,
        task_flight: task_flight::make_type(module)?,
        led: task_flight::make_led_type(module)?,
        method: method::make_type(module)?,
        coroutine_method: method::make_coroutine_type(module)?,
        forget: method::make_forget_type(module)?,
        bound_method: bound::make_type(module)?,
        weak_method: bound::make_weak_type(module)?,
        class_method: bound::make_class_type(module)?,
        flight: flight::make_type(module)?,
        mapping: mapping::make_type(module)?,
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
