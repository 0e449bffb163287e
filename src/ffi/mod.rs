//! CPython made safe to say. Raw pointers come in by the slot functions and turn into these types at once.

pub mod args;
pub mod build;
pub mod call;
pub mod clock;
pub mod compare;
pub mod compat;
pub mod coroutine;
pub mod dropper;
pub mod exact;
pub mod hash;
#[allow(dead_code, reason = "its users move here")]
pub mod instance;
pub mod layouts;
#[allow(dead_code, unused_imports, reason = "its users move here")]
pub mod method_table;
pub mod raise;
pub mod raised;
pub mod read;
pub mod reference;
#[allow(dead_code, reason = "from 3.14 on CPython looks by itself")]
pub mod stack;
pub mod sync;
pub mod thread;
pub mod types;

pub use args::CallArgs;
pub use raised::{Raised, Result};
pub use reference::{Borrowed, Owned};

/// The names that `py` still uses.
#[allow(dead_code, unused_imports, reason = "for a moment")]
pub mod object {
    pub use super::build::{boolean, bound_method, count, float, int, interned, none, string, tuple};
    pub use super::call::{call_method, call_with, import, imported, module, to_slot, to_status};
    pub use super::method_table::member;
    pub use super::read::dict_pairs as dict_items;
    pub use super::read::{code_flags, get_item, is_method, method_parts, method_type, path, text};
    pub use super::thread::{check_signals, detached, interpreter, with_exception_aside};
    pub use super::types::{
        dealloc_plain, plain_instance, plain_type, plain_type_with, traverse_plain, type_from_slots,
    };
    use super::{Borrowed, Owned, Result};

    /// See `build`.
    pub fn set_item(dict: &Owned, name: &Owned, value: Borrowed<'_>) -> Result<()> {
        super::build::set_item(dict, name.borrow(), value)
    }
}

/// The same.
#[allow(dead_code, unused_imports, missing_docs, reason = "for a moment")]
pub mod plain {
    pub use super::build::{
        Filling, add, ascii_str, bytearray, bytes, complex, dict, float, int_of_magnitude, set, set_item, str_of,
    };
    pub use super::exact::bytes_of_instance;
    use super::exact::{Exact, FrozenSet, Set};
    use super::{Borrowed, Owned, Result, read};

    fn exact<T: super::exact::BuiltIn>(object: Borrowed<'_>) -> Exact<'_, T> {
        Exact::of(object).expect("checked by the caller")
    }
    pub fn int_digits(int: Borrowed<'_>) -> (i64, &[u32]) {
        let int = exact::<super::exact::Int>(int);
        (int.sign(), int.digits())
    }
    pub fn float_value(float: Borrowed<'_>) -> f64 {
        exact::<super::exact::Float>(float).value()
    }
    pub fn complex_parts(complex: Borrowed<'_>) -> (f64, f64) {
        exact::<super::exact::Complex>(complex).parts()
    }
    pub fn bytes_of(bytes: Borrowed<'_>) -> &[u8] {
        exact::<super::exact::Bytes>(bytes).content()
    }
    pub fn with_bytearray(array: Borrowed<'_>, most: usize, write: impl FnOnce(&[u8])) -> Result<bool> {
        read::with_bytearray(exact(array), most, write)
    }
    pub fn with_characters<R>(string: Borrowed<'_>, work: impl FnOnce(super::exact::Characters<'_>) -> R) -> Result<R> {
        read::with_characters(exact(string), work)
    }
    pub fn own_list(list: Borrowed<'_>) -> Result<read::Items> {
        read::own_list(exact(list))
    }
    pub fn own_dict(dict: Borrowed<'_>) -> Result<Owned> {
        read::own_dict(exact(dict)).map(read::OwnDict::into_object)
    }
    pub fn dict_items(dict: Borrowed<'_>) -> impl Iterator<Item = (Owned, Owned)> {
        read::dict_items(dict.as_ptr())
    }
    pub fn size_of_dict(dict: Borrowed<'_>) -> usize {
        read::size_of_dict(dict)
    }
    pub fn size_of_set(set: Borrowed<'_>) -> usize {
        any_set(set).len()
    }
    fn any_set(set: Borrowed<'_>) -> read::AnySet<'_> {
        match Exact::<Set>::of(set) {
            Some(set) => set.into(),
            None => exact::<FrozenSet>(set).into(),
        }
    }
    pub fn set_items(set: Borrowed<'_>) -> Result<impl Iterator<Item = Result<Owned>>> {
        any_set(set).items()
    }
}

/// The same.
#[allow(dead_code, unused_imports, reason = "for a moment")]
pub mod err {
    pub use super::raise::{is_ordinary, is_want_of_room, raise_given, traceback_of};
    pub use super::raised::Kind;
}
