//! What stands behind a near cache: a region that processes share.

pub mod admin;
pub mod lease;
pub mod near;
pub mod region;
pub mod request;
