//! Lets the targets find the interpreter's library when they run.

fn main() {
    pyo3_build_config::add_libpython_rpath_link_args();
}
