//! Whether the running interpreter lays its objects out as `compat/` reads them.

use super::compat::DIGIT_BITS;
use super::exact::{Exact, Str};
use super::{Owned, Result, build};
use pyo3_ffi as py;

/// Whether this interpreter lays its strings out as this file reads them.
pub fn str_layout_holds() -> Result<bool> {
    let ascii = build::string("tamis")?;
    let (wide, widest) = (build::string("\u{0167}amis")?, build::string("\u{1F5DC}")?);
    let reads = |string: &Owned, bytes: &[u8], width: u8, ascii: bool| {
        Exact::<Str>::of(string.borrow())
            .and_then(Exact::characters)
            .is_some_and(|it| it.bytes == bytes && it.width == width && it.ascii == ascii)
    };
    let two_bytes: Vec<u8> = "\u{0167}amis".encode_utf16().flat_map(u16::to_ne_bytes).collect();
    Ok(reads(&ascii, b"tamis", 1, true)
        && reads(&wide, &two_bytes, 2, false)
        && reads(&widest, &0x1F5DC_u32.to_ne_bytes(), 4, false))
}

/// Whether this interpreter lays its integers out as this file reads them.
pub fn int_layout_holds() -> Result<bool> {
    // SAFETY: an attached thread.
    let info = unsafe { py::PyLong_GetInfo() };
    // SAFETY: a new reference, or null with an exception set.
    let info = unsafe { Owned::from_call(info) }?;
    let bits = info.borrow().attr(build::interned(c"bits_per_digit")?.borrow())?;
    // SAFETY: a live object; -1 with an exception set is not 30 either, and can't come of an int.
    Ok(unsafe { py::PyLong_AsLong(bits.as_ptr()) } == DIGIT_BITS as std::ffi::c_long)
}
