//! The region: one process against a plain model, threads, processes that die, files that are damaged.

mod backend;
mod children;
mod entries;
mod files;
pub mod helpers;
mod inspect;
mod leases;
mod model;
mod processes;
mod threads;
