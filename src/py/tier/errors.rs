//! Python's exceptions for what goes wrong in a region.

use crate::backend::Busy;
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, Raised, Result, build, call};
use crate::shm::OpenError;
use pyo3_ffi as py;

/// What is raised where the region's lock could not be had: `TimeoutError`.
pub fn busy(Busy: Busy) -> Raised {
    Raised::new(Kind::Timeout, c"the shared cache is busy: another process has held its lock for seconds")
}

/// `PermissionError`, or `OSError` with the system's number. The text names the file.
pub fn raised_for(error: OpenError) -> Raised {
    let (number, text) = match error {
        OpenError::Refused(text) => (libc::EACCES, text),
        OpenError::Io(error, text) => {
            let number = error.raw_os_error().unwrap_or(libc::EIO);
            let hint = match number {
                libc::ENOSPC | libc::EDQUOT | libc::EFBIG | libc::ENOMEM => {
                    ": give a smaller max_bytes, or a directory with more room as path"
                }
                _ => "",
            };
            (number, format!("{text}: {}{hint}", std::io::Error::from_raw_os_error(number)))
        }
        OpenError::Unsupported => (libc::ENOTSUP, "backend='shared' is not there on this system".to_owned()),
    };
    match os_error(number, &text) {
        Ok(raised) | Err(raised) => raised,
    }
}

fn os_error(number: i32, text: &str) -> Result<Raised> {
    // SAFETY: set up before any extension is imported.
    let class = unsafe { py::PyExc_OSError };
    // SAFETY: there as long as the interpreter.
    let class = unsafe { Borrowed::from_ptr(class) };
    let (number, text) = (build::int(number.into())?, build::string(text)?);
    Ok(Raised::again(call::with(class, &[number.borrow(), text.borrow()])?.borrow()))
}
