//! The types of the module, for one interpreter. `py/types.rs` makes them.

use crate::ffi::Owned;

/// All of them.
pub struct Types {
    /// Of cached functions.
    pub function: Owned,
    /// Of cached coroutine functions.
    pub coroutine_function: Owned,
    /// Of what caches with options keep.
    pub entry: Owned,
    /// Of what hits of coroutine functions return.
    pub completed_coroutine: Owned,
    /// Of what computes stale entries elsewhere.
    pub refresh_job: Owned,
    /// Of what their other calls return.
    pub coroutine_call: Owned,
    /// Of computations that tasks wait for.
    pub task_flight: Owned,
    /// Of what contexts remember of these.
    pub led: Owned,
    /// Of cached methods.
    pub method: Owned,
    /// Of cached methods that are coroutine functions.
    pub coroutine_method: Owned,
    /// Of what their references to instances call.
    pub forget: Owned,
    /// Of cached functions and cached methods on an instance.
    pub bound_method: Owned,
    /// Of functions on an instance that they don't keep alive.
    pub weak_method: Owned,
    /// Of class methods that cached methods are made from.
    pub class_method: Owned,
    /// Of computations that threads wait for.
    pub flight: Owned,
    /// What `tamis.SieveCache` is made of.
    pub mapping: Owned,
    /// Of what tells which near entries of a server stand.
    pub watch: Owned,
}

impl Types {
    /// For the collector.
    pub fn held(&self) -> [&Owned; 17] {
        [
            &self.function,
            &self.coroutine_function,
            &self.entry,
            &self.completed_coroutine,
            &self.refresh_job,
            &self.coroutine_call,
            &self.task_flight,
            &self.led,
            &self.method,
            &self.coroutine_method,
            &self.forget,
            &self.bound_method,
            &self.weak_method,
            &self.class_method,
            &self.flight,
            &self.mapping,
            &self.watch,
        ]
    }
}
