//! Cached functions: their type, what decorating makes of a function, and calls.

pub mod attributes;
pub mod background;
pub mod call;
pub mod coroutine_attributes;
pub mod coroutine_call;
pub mod coroutine_computation;
pub mod coroutine_protocol;
pub mod coroutine_stage;
pub mod coroutine_steps;
pub mod decorate;
pub mod methods;
pub mod object;
pub mod peek;
pub mod slots;

pub use object::{OfInstance, Wrapper};
