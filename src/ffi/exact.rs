//! CPython's own types: which of them an object is exactly, and what it holds then. The type is checked once; all else is total,
//! in place, and runs no Python code.

use super::compat::{self, DIGIT_BITS, IntLayout};
use super::reference::Borrowed;
use pyo3_ffi as py;
use std::marker::PhantomData;

pub use super::compat::{Both, Characters};

/// One of CPython's own types, as the mark of an [`Exact`].
pub trait BuiltIn {
    /// The type object.
    fn type_ptr() -> *mut py::PyTypeObject;
}

macro_rules! built_in {
    ($($(#[$doc:meta])* $name:ident $(, $check:ident)?: $type:ident;)*) => {$(
        $(#[$doc])*
        pub enum $name {}

        impl BuiltIn for $name {
            #[inline(always)]
            fn type_ptr() -> *mut py::PyTypeObject {
                &raw mut py::$type
            }
        }

        $(
        #[doc = concat!("Whether it is exactly of this type: [`", stringify!($name), "`].")]
        #[inline(always)]
        pub fn $check(object: Borrowed<'_>) -> bool {
            object.type_ptr() == $name::type_ptr()
        }
        )?
    )*};
}

built_in! {
    /// `int`
    Int, is_int: PyLong_Type;
    /// `str`
    Str, is_str: PyUnicode_Type;
    /// `float`
    Float, is_float: PyFloat_Type;
    /// `bytes`
    Bytes, is_bytes: PyBytes_Type;
    /// `bool`
    Bool, is_bool: PyBool_Type;
    /// `tuple`
    Tuple, is_tuple: PyTuple_Type;
    /// `complex`
    Complex: PyComplex_Type;
    /// `bytearray`
    ByteArray, is_bytearray: PyByteArray_Type;
    /// `list`
    List, is_list: PyList_Type;
    /// `dict`
    Dict, is_dict: PyDict_Type;
    /// `set`
    Set, is_set: PySet_Type;
    /// `frozenset`
    FrozenSet: PyFrozenSet_Type;
}

/// An object that is exactly of one of CPython's own types, and not of a subclass: `type(object) is T`. Such an object keeps its type.
#[repr(transparent)]
pub struct Exact<'a, T>(Borrowed<'a>, PhantomData<T>);

impl<T> Clone for Exact<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Exact<'_, T> {}

impl<'a, T: BuiltIn> Exact<'a, T> {
    /// The object, if it is of the type.
    #[inline(always)]
    pub fn of(object: Borrowed<'a>) -> Option<Self> {
        (object.type_ptr() == T::type_ptr()).then_some(Self(object, PhantomData))
    }

    /// The object, of which the type has been seen.
    ///
    /// # Safety
    /// It is exactly of the type.
    #[inline(always)]
    pub unsafe fn of_seen(object: Borrowed<'a>) -> Self {
        debug_assert!(object.type_ptr() == T::type_ptr());
        Self(object, PhantomData)
    }

    /// The object, of any type again.
    #[inline(always)]
    pub fn object(self) -> Borrowed<'a> {
        self.0
    }
}

/// How many bits, beside the sign, an integer may have for [`Exact::short`].
pub const INLINE_INT_BITS: u32 = 2 * DIGIT_BITS;

impl<'a> Exact<'a, Int> {
    #[inline(always)]
    fn layout(self) -> &'a IntLayout {
        // SAFETY: `IntLayout` is the layout of exact ints, which don't change.
        unsafe { &*self.0.as_ptr().cast::<IntLayout>() }
    }

    /// -1, 0 or 1.
    #[inline(always)]
    pub fn sign(self) -> i64 {
        self.layout().sign()
    }

    /// Its digits of 30 bits each, the lowest first.
    #[inline(always)]
    pub fn digits(self) -> &'a [u32] {
        let layout = self.layout();
        // SAFETY: so many digits, which don't change.
        unsafe { std::slice::from_raw_parts(layout.digit(), layout.digits()) }
    }

    /// The value, if it is positive and has one digit. For the path where zero may go another way.
    #[inline(always)]
    pub fn small_positive(self) -> Option<u32> {
        compat::small_positive(self.layout())
    }

    /// The value, if it is at least zero and has one digit.
    #[inline(always)]
    pub fn small_natural(self) -> Option<u32> {
        compat::small_natural(self.layout())
    }

    /// The value, if it has at most 60 bits.
    #[inline(always)]
    pub fn short(self) -> Option<i64> {
        let layout = self.layout();
        let magnitude = match layout.digits() {
            0 => 0,
            // SAFETY: one digit.
            1 => u64::from(unsafe { *layout.digit() }),
            2 => {
                // SAFETY: two digits.
                let [low, high] = unsafe { *layout.digit().cast::<[u32; 2]>() };
                u64::from(low) | u64::from(high) << DIGIT_BITS
            }
            _ => return None,
        };
        Some(magnitude as i64 * layout.sign())
    }

    /// The value, if its hash tells it: it is of at most 60 bits, and not -1 or -2, which share a hash.
    #[inline(always)]
    pub fn inline_int(self) -> Option<i64> {
        self.short().filter(|&value| value != -1 && value != -2)
    }
}

impl<'a> Exact<'a, Str> {
    /// The hash that the string keeps, if it was asked for it before.
    #[inline(always)]
    pub fn kept_hash(self) -> Option<u64> {
        // SAFETY: a str.
        unsafe { compat::str_hash(self.0) }
    }

    /// Its characters. None if they lie elsewhere, as in strings that some old C code has made.
    #[inline(always)]
    pub fn characters(self) -> Option<Characters<'a>> {
        // SAFETY: a str.
        unsafe { compat::characters(self.0) }
    }

    /// Its characters beside those of another one.
    #[inline(always)]
    pub fn beside(self, other: Self) -> Both<'a> {
        // SAFETY: two strings.
        unsafe { compat::both_characters(self.0, other.0) }
    }

    /// Its characters, if they are ASCII and no more than so many, and lie as those of other strings do.
    #[inline(always)]
    pub fn short_ascii(self, most: usize) -> Option<&'a [u8]> {
        // SAFETY: a str.
        unsafe { compat::short_ascii(self.0, most) }
    }
}

impl Exact<'_, Float> {
    /// The value.
    #[inline(always)]
    pub fn value(self) -> f64 {
        // SAFETY: a float.
        unsafe { (*self.0.as_ptr().cast::<py::PyFloatObject>()).ob_fval }
    }
}

impl Exact<'_, Complex> {
    /// The real and the imaginary part.
    pub fn parts(self) -> (f64, f64) {
        // SAFETY: a complex.
        let real = unsafe { py::PyComplex_RealAsDouble(self.0.as_ptr()) };
        // SAFETY: as above.
        (real, unsafe { py::PyComplex_ImagAsDouble(self.0.as_ptr()) })
    }
}

impl<'a> Exact<'a, Bytes> {
    /// The bytes.
    #[inline(always)]
    pub fn content(self) -> &'a [u8] {
        // SAFETY: bytes.
        unsafe { content_of(self.0) }
    }
}

impl<'a> Exact<'a, Tuple> {
    /// The items.
    #[inline(always)]
    pub fn items(self) -> &'a [Borrowed<'a>] {
        // SAFETY: a tuple.
        unsafe { items_of_tuple(self.0) }
    }
}

/// The items of a tuple.
///
/// # Safety
/// The object is a tuple, or of a subclass.
#[inline(always)]
pub unsafe fn items_of_tuple<'a>(object: Borrowed<'a>) -> &'a [Borrowed<'a>] {
    // SAFETY: a tuple, whose size and items are fixed, and which stands in front of what a subclass adds.
    let size = unsafe { py::PyTuple_GET_SIZE(object.as_ptr()) };
    let tuple = object.as_ptr().cast::<py::PyTupleObject>();
    // SAFETY: as above.
    let items = unsafe { &raw const (*tuple).ob_item };
    // SAFETY: so many items, none of them null; `Borrowed` is a pointer in all but name, and the tuple holds them.
    unsafe { std::slice::from_raw_parts(items.cast(), size as usize) }
}

/// The items of a tuple, and nothing if the object is not exactly one.
#[inline(always)]
pub fn tuple_items(object: Borrowed<'_>) -> &[Borrowed<'_>] {
    Exact::<Tuple>::of(object).map_or(&[][..], Exact::items)
}

/// The bytes of an object, if it is `bytes` or of a subclass.
pub fn bytes_of_instance(object: Borrowed<'_>) -> Option<&[u8]> {
    // SAFETY: a live object.
    let is_bytes = unsafe { py::PyBytes_Check(object.as_ptr()) != 0 };
    // SAFETY: the object is bytes.
    is_bytes.then(|| unsafe { content_of(object) })
}

/// # Safety
/// The object is `bytes`, or of a subclass.
#[inline(always)]
unsafe fn content_of(object: Borrowed<'_>) -> &[u8] {
    // SAFETY: the object is bytes, as the caller says.
    let size = unsafe { py::Py_SIZE(object.as_ptr()) };
    // SAFETY: as above.
    let data = unsafe { py::PyBytes_AS_STRING(object.as_ptr()) };
    // SAFETY: so many bytes, which don't change while the object lives.
    unsafe { std::slice::from_raw_parts(data.cast(), size as usize) }
}

macro_rules! instance_checks {
    ($($(#[$doc:meta])* $name:ident: $check:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(object: Borrowed<'_>) -> bool {
            // SAFETY: a live object.
            unsafe { py::$check(object.as_ptr()) != 0 }
        }
    )*};
}

instance_checks! {
    /// `isinstance(object, int)`
    is_int_instance: PyLong_Check;
    /// `isinstance(object, float)`
    is_float_instance: PyFloat_Check;
    /// `isinstance(object, str)`
    is_str_instance: PyUnicode_Check;
    /// Whether the object's type has `__index__`.
    has_index: PyIndex_Check;
}

/// Whether the object's type has `__float__`.
pub fn has_float(object: Borrowed<'_>) -> bool {
    // SAFETY: a live object's type is live.
    let numbers = unsafe { (*object.type_ptr()).tp_as_number };
    // SAFETY: the type's own table, or null.
    unsafe { numbers.as_ref() }.is_some_and(|numbers| numbers.nb_float.is_some())
}

/// Whether the object is of a type whose instances keep their type, and whose hash and equality run no Python code.
#[inline]
pub fn is_plain(object: Borrowed<'_>) -> bool {
    is_int(object) || is_str(object) || is_float(object) || is_bytes(object) || is_bool(object) || object.is_none()
}
