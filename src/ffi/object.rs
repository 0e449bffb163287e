//! References to Python objects: owned ones, which are given back when dropped, and borrowed ones.

use super::compat::recursion::{Level, check_stack};
use super::{CallArgs, Raised, Result, exact, sync};
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// A reference of our own. Dropping it may run Python code (finalizers, weak reference callbacks), so it is never
/// dropped inside a borrow of the store.
#[repr(transparent)]
pub struct Owned(NonNull<py::PyObject>);

impl Owned {
    /// Takes over what a C call returned: a new reference, or null with an exception set.
    ///
    /// # Safety
    /// A pointer that is not null carries a reference that nobody else will give back.
    #[inline(always)]
    pub unsafe fn from_call(pointer: *mut py::PyObject) -> Result<Self> {
        NonNull::new(pointer).map(Self).ok_or_else(Raised::by_callee)
    }

    /// # Safety
    /// The pointer is not null and carries a reference that nobody else will give back.
    #[inline(always)]
    pub unsafe fn from_ptr(pointer: *mut py::PyObject) -> Self {
        // SAFETY: not null, as the caller says.
        Self(unsafe { NonNull::new_unchecked(pointer) })
    }

    /// Gives the reference to C.
    #[inline(always)]
    pub fn into_ptr(self) -> *mut py::PyObject {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// A view for as long as this reference stands.
    #[inline(always)]
    pub fn borrow(&self) -> Borrowed<'_> {
        Borrowed(self.0, PhantomData)
    }

    /// The pointer; the reference stays here.
    #[inline(always)]
    pub fn as_ptr(&self) -> *mut py::PyObject {
        self.0.as_ptr()
    }
}

impl Clone for Owned {
    #[inline(always)]
    fn clone(&self) -> Self {
        // Volatile: read once. The compiler would read it again after counting, which might have changed it for all it
        // knows, and this is the hit path.
        // SAFETY: a field of a live value.
        let pointer = unsafe { (&raw const self.0).read_volatile() };
        Borrowed(pointer, PhantomData).to_owned()
    }
}

impl Drop for Owned {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the reference is ours and ends here, on an attached thread.
        unsafe { sync::decref(self.0.as_ptr()) };
    }
}

/// A reference that someone else holds for `'a`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Borrowed<'a>(NonNull<py::PyObject>, PhantomData<&'a py::PyObject>);

impl<'a> Borrowed<'a> {
    /// # Safety
    /// The object is not null and somebody holds a reference to it for all of `'a`.
    #[inline(always)]
    pub const unsafe fn from_ptr(pointer: *mut py::PyObject) -> Self {
        // SAFETY: not null, as the caller says.
        Self(unsafe { NonNull::new_unchecked(pointer) }, PhantomData)
    }

    /// A reference of our own to the same object.
    #[inline(always)]
    pub fn to_owned(self) -> Owned {
        let pointer = self.0.as_ptr();
        // SAFETY: the object is live for 'a.
        unsafe { sync::incref(pointer) };
        // SAFETY: the same pointer.
        Owned(unsafe { NonNull::new_unchecked(pointer) })
    }

    /// The pointer.
    #[inline(always)]
    pub const fn as_ptr(self) -> *mut py::PyObject {
        self.0.as_ptr()
    }

    /// The first of the arguments that vectorcall hands over.
    ///
    /// # Safety
    /// There is one, and the call does not return during `'a`.
    #[inline(always)]
    pub const unsafe fn first_of(args: *const *mut py::PyObject) -> Self {
        // SAFETY: there is one; `Borrowed` is a pointer that is not null in all but name.
        unsafe { *args.cast() }
    }

    /// `object is None`.
    #[inline(always)]
    pub fn is_none(self) -> bool {
        // SAFETY: set up before any extension is imported.
        self.as_ptr() == unsafe { py::Py_None() }
    }

    /// `a is b`.
    #[inline(always)]
    pub fn is(self, other: Borrowed<'_>) -> bool {
        self.0 == other.0
    }

    /// The object's type.
    #[inline(always)]
    pub fn type_ptr(self) -> *mut py::PyTypeObject {
        // SAFETY: the object is live for 'a.
        unsafe { py::Py_TYPE(self.0.as_ptr()) }
    }

    /// `hash(object)`. Reenters: `__hash__`. `RecursionError` where the stack has no room for that.
    #[inline]
    pub fn hash(self) -> Result<isize> {
        check_stack()?;
        // SAFETY: the object is live for 'a.
        match unsafe { py::PyObject_Hash(self.0.as_ptr()) } {
            -1 => Err(Raised::by_callee()),
            hash => Ok(hash),
        }
    }

    /// `self is other or self == other`. Reenters: `__eq__` of both, and `__bool__` of what it returns. `RecursionError` where
    /// the stack has no room for that; CPython counts the level.
    #[inline]
    pub fn equals(self, other: Borrowed<'_>) -> Result<bool> {
        check_stack()?;
        // SAFETY: both objects are live.
        match unsafe { py::PyObject_RichCompareBool(self.0.as_ptr(), other.0.as_ptr(), py::Py_EQ) } {
            -1 => Err(Raised::by_callee()),
            answer => Ok(answer != 0),
        }
    }

    /// `getattr(object, name)`. Reenters: `__getattribute__`, `__getattr__`, descriptors.
    pub fn attr(self, name: Borrowed<'_>) -> Result<Owned> {
        // SAFETY: both objects are live; the call returns a new reference or null.
        let pointer = unsafe { py::PyObject_GetAttr(self.0.as_ptr(), name.0.as_ptr()) };
        // SAFETY: a new reference, or null with an exception set.
        unsafe { Owned::from_call(pointer) }
    }

    /// The result of calling the object with these arguments. Reenters: the object.
    ///
    /// `RecursionError` where calls nest too deep: CPython counts a level where C code calls an object by `tp_call`, as it calls
    /// functools' caches, and not where it calls it by vectorcall, as it calls ours. So each call from here is a level.
    #[inline(always)]
    pub fn call(self, args: &CallArgs<'_>) -> Result<Owned> {
        let (values, positional, kwnames) = args.as_raw();
        // SAFETY: arguments that are held during the call.
        let result = unsafe { self.call_in_place(values, positional, kwnames) };
        // SAFETY: a new reference, or null with an exception set.
        unsafe { Owned::from_call(result) }
    }

    /// The same: a new reference, or null with an exception set. It takes nothing of its caller's stack. Reenters: the object.
    ///
    /// # Safety
    /// Arguments as vectorcall has them, during the call.
    #[inline(always)]
    pub unsafe fn call_in_place(
        self,
        values: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        let Ok(_level) = Level::enter() else { return std::ptr::null_mut() };
        if self.type_ptr() == &raw mut py::PyFunction_Type {
            // SAFETY: as the caller says.
            unsafe { self.call_function_in_place(values, positional, kwnames) }
        } else {
            // SAFETY: as the caller says.
            unsafe { self.call_held(values, positional, kwnames) }
        }
    }

    /// Calls an object of any type. Reenters: the object.
    ///
    /// # Safety
    /// As [`Borrowed::call_in_place`].
    #[inline(never)]
    pub unsafe fn call_held(
        self,
        values: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        // Python functions are held by their frames; C code may run on after its object is gone.
        let _held = self.to_owned();
        // SAFETY: as the caller says. The result is checked: C code may break the rules.
        unsafe { py::PyObject_Vectorcall(self.as_ptr(), values, positional, kwnames) }
    }

    /// Calls a Python function as `PyObject_Vectorcall` does it, without its checks for C functions
    /// (Include/internal/pycore_call.h). A new reference, or null with an exception set. Reenters: the function.
    ///
    /// # Safety
    /// The arguments of a call that has not returned.
    #[inline(always)]
    pub unsafe fn call_function_in_place(
        self,
        values: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        let kind = self.type_ptr();
        let mut function = None;
        // SAFETY: a live object's type is live.
        if unsafe { sync::type_flags(kind) } & py::Py_TPFLAGS_HAVE_VECTORCALL != 0 {
            // SAFETY: as above.
            let offset = unsafe { (*kind).tp_vectorcall_offset };
            // SAFETY: the flag says that there is a function, or null, at this offset of the object.
            let place = unsafe { self.as_ptr().byte_offset(offset) };
            // SAFETY: as above.
            function = unsafe { *place.cast::<Option<py::vectorcallfunc>>() };
        }
        match function {
            // SAFETY: the object's own function, and the arguments of a call that has not returned.
            Some(function) => unsafe { function(self.as_ptr(), values, positional, kwnames) },
            // SAFETY: the arguments of a call that has not returned.
            None => unsafe { py::PyObject_Vectorcall(self.as_ptr(), values, positional, kwnames) },
        }
    }

    /// `bool(object)`. Reenters: `__bool__`, `__len__`.
    pub fn is_true(self) -> Result<bool> {
        // SAFETY: the object is live for 'a.
        match unsafe { py::PyObject_IsTrue(self.0.as_ptr()) } {
            -1 => Err(Raised::by_callee()),
            truth => Ok(truth != 0),
        }
    }

    /// `callable(object)`.
    pub fn is_callable(self) -> bool {
        // SAFETY: the object is live for 'a.
        unsafe { py::PyCallable_Check(self.0.as_ptr()) != 0 }
    }
}

// Include/cpython/classobject.h; pyo3-ffi leaves it out.
unsafe extern "C" {
    fn PyMethod_New(function: *mut py::PyObject, instance: *mut py::PyObject) -> *mut py::PyObject;
    fn PyMethod_Function(method: *mut py::PyObject) -> *mut py::PyObject;
    fn PyMethod_Self(method: *mut py::PyObject) -> *mut py::PyObject;
    static mut PyMethod_Type: py::PyTypeObject;
}

/// `types.MethodType`
pub fn method_type() -> Borrowed<'static> {
    let kind = &raw mut PyMethod_Type;
    // SAFETY: a static type.
    unsafe { Borrowed::from_ptr(kind.cast()) }
}

/// Whether it is exactly a `types.MethodType`.
pub fn is_method(object: Borrowed<'_>) -> bool {
    object.type_ptr() == &raw mut PyMethod_Type
}

/// A type of ours, for one interpreter, whose instances only we make: of such a size, given back by such a function.
pub fn plain_type(module: Borrowed<'_>, name: &'static CStr, size: usize, dealloc: py::destructor) -> Result<Owned> {
    plain_type_with(module, name, size, dealloc, &[])
}

/// As [`plain_type`], with more slots. With `tp_traverse` among them the collector knows the instances; what they hold never
/// changes, so that others in a cycle through them have to let go.
pub fn plain_type_with(
    module: Borrowed<'_>,
    name: &'static CStr,
    size: usize,
    dealloc: py::destructor,
    more: &[(c_int, *mut c_void)],
) -> Result<Owned> {
    let mut slots: Vec<_> = more.iter().map(|&(slot, pfunc)| py::PyType_Slot { slot, pfunc }).collect();
    slots.push(py::PyType_Slot { slot: py::Py_tp_dealloc, pfunc: dealloc as *mut c_void });
    slots.push(py::PyType_Slot { slot: 0, pfunc: std::ptr::null_mut() });
    let mut flags = py::Py_TPFLAGS_DEFAULT | py::Py_TPFLAGS_IMMUTABLETYPE | py::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    if more.iter().any(|&(slot, _)| slot == py::Py_tp_traverse) {
        flags |= py::Py_TPFLAGS_HAVE_GC;
    }
    type_from_slots(module, name, size, flags, &mut slots)
}

/// A type of the module, for one interpreter. The slots end with one that is zero, and lead to whole tables.
pub fn type_from_slots(
    module: Borrowed<'_>,
    name: &'static CStr,
    size: usize,
    flags: std::ffi::c_ulong,
    slots: &mut [py::PyType_Slot],
) -> Result<Owned> {
    debug_assert!(slots.last().is_some_and(|last| last.slot == 0));
    let mut spec = py::PyType_Spec {
        name: name.as_ptr(),
        basicsize: size as c_int,
        itemsize: 0,
        flags: flags as std::ffi::c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the tables are whole; those that are not static are copied before the call returns.
    let pointer = unsafe { py::PyType_FromModuleAndSpec(module.as_ptr(), &raw mut spec, std::ptr::null_mut()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// Tells CPython at which offset of an object a field of its own lies.
pub const fn member(name: &'static CStr, offset: usize) -> py::PyMemberDef {
    py::PyMemberDef {
        name: name.as_ptr(),
        type_code: py::Py_T_PYSSIZET,
        offset: offset as py::Py_ssize_t,
        flags: py::Py_READONLY,
        doc: std::ptr::null(),
    }
}

/// An instance of a [`plain_type`], with its fields at such an offset. Runs no Python code.
///
/// # Safety
/// The fields lie within the type's size, and are what its functions expect there.
pub unsafe fn plain_instance<F>(kind: Borrowed<'_>, fields: F, offset: usize) -> Result<Owned> {
    // SAFETY: a ready type of ours.
    let object = unsafe { py::PyType_GenericAlloc(kind.as_ptr().cast(), 0) };
    // SAFETY: a new reference, or null with an exception set.
    let object = unsafe { Owned::from_call(object) }?;
    // SAFETY: within the object, as the caller says.
    let place = unsafe { object.as_ptr().byte_add(offset) }.cast::<F>();
    // SAFETY: a fresh object of this type, which nobody else knows yet; the memory is zero and owns nothing.
    unsafe { place.write(fields) };
    Ok(object)
}

/// Gives back an instance of a [`plain_type`], and drops its fields. Reenters: as that does.
///
/// # Safety
/// No reference to the object is left, and `place` points to its fields.
pub unsafe fn dealloc_plain<F>(object: *mut py::PyObject, place: *const F) {
    // SAFETY: nobody else reaches the fields; they are not used any more where they lie.
    let fields = unsafe { place.read() };
    // SAFETY: still a whole object.
    let kind = unsafe { py::Py_TYPE(object) };
    // SAFETY: a live type.
    if unsafe { py::PyType_HasFeature(kind, py::Py_TPFLAGS_HAVE_GC) } != 0 {
        // SAFETY: memory of `PyType_GenericAlloc` of such a type, which also made it known to the collector.
        unsafe { py::PyObject_GC_UnTrack(object.cast()) };
        // SAFETY: as above.
        unsafe { py::PyObject_GC_Del(object.cast()) };
    } else {
        // SAFETY: memory of `PyType_GenericAlloc` of a type without that flag.
        unsafe { py::PyObject_Free(object.cast()) };
    }
    drop(fields);
    // SAFETY: the reference of the object that is gone.
    unsafe { py::Py_DECREF(kind.cast()) };
}

/// Shows the collector the type of an instance of a [`plain_type`], and these objects, of which some may be null.
///
/// # Safety
/// A live instance, live objects, and the collector's own function and argument.
pub unsafe fn traverse_plain(
    object: *mut py::PyObject,
    held: &[*mut py::PyObject],
    visit: py::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: a live object.
    let kind = unsafe { py::Py_TYPE(object) }.cast();
    let all = std::iter::once(kind).chain(held.iter().copied()).filter(|object| !object.is_null());
    // SAFETY: as the caller says.
    all.map(|object| unsafe { visit(object, arg) }).find(|&stop| stop != 0).unwrap_or(0)
}

/// The function and the instance of a method, if it is exactly a `types.MethodType`.
pub fn method_parts(method: Borrowed<'_>) -> Option<(Borrowed<'_>, Borrowed<'_>)> {
    if !is_method(method) {
        return None;
    }
    // SAFETY: the type has just been seen.
    let function = unsafe { PyMethod_Function(method.as_ptr()) };
    // SAFETY: as above.
    let instance = unsafe { PyMethod_Self(method.as_ptr()) };
    // SAFETY: what a method holds never changes.
    let function = unsafe { Borrowed::from_ptr(function) };
    // SAFETY: as above.
    Some((function, unsafe { Borrowed::from_ptr(instance) }))
}

/// `types.MethodType(function, instance)`
pub fn bound_method(function: Borrowed<'_>, instance: Borrowed<'_>) -> Result<Owned> {
    // SAFETY: two live objects; a new reference or null.
    let pointer = unsafe { PyMethod_New(function.as_ptr(), instance.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// Keeps the exception that is set, if any, away from `work`. Reenters: as `work` does.
pub fn with_exception_aside(work: impl FnOnce()) {
    let (mut kind, mut value, mut traceback) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: an attached thread and three places.
    #[allow(deprecated, reason = "its successor is there from 3.12 on")]
    unsafe {
        py::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut traceback)
    };
    work();
    // SAFETY: what was fetched, given back.
    #[allow(deprecated, reason = "its successor is there from 3.12 on")]
    unsafe {
        py::PyErr_Restore(kind, value, traceback)
    };
}

/// The result of calling the method of this name of the first argument with the others. Reenters: the method.
pub fn call_method(name: &CStr, args: &CallArgs<'_>) -> Result<Owned> {
    let name = interned(name)?;
    let (values, positional, kwnames) = args.as_raw();
    // SAFETY: a live str, and arguments that are held during the call, one positional one at least.
    let result = unsafe { py::PyObject_VectorcallMethod(name.as_ptr(), values, positional, kwnames) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(result) }
}

/// The result of calling `callable` with these positional arguments. Reenters: the callable.
pub fn call_with(callable: Borrowed<'_>, args: &[Borrowed<'_>]) -> Result<Owned> {
    callable.call(&CallArgs::of_positional(args))
}

/// A tuple of these objects.
pub fn tuple(items: &[Borrowed<'_>]) -> Result<Owned> {
    // SAFETY: an attached thread.
    let tuple = unsafe { py::PyTuple_New(items.len() as py::Py_ssize_t) };
    // SAFETY: a new reference, or null with an exception set.
    let tuple = unsafe { Owned::from_call(tuple) }?;
    for (at, item) in items.iter().enumerate() {
        // SAFETY: a new tuple of that size, which takes over the reference.
        unsafe { py::PyTuple_SetItem(tuple.as_ptr(), at as py::Py_ssize_t, Borrowed::to_owned(*item).into_ptr()) };
    }
    Ok(tuple)
}

/// The module of this name. Reenters: its code, if it was not imported yet.
pub fn module(name: &CStr) -> Result<Owned> {
    // SAFETY: a terminated string.
    let pointer = unsafe { py::PyImport_ImportModule(name.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// `module.name`. Reenters: as [`module`].
pub fn import(name: &CStr, attribute: &CStr) -> Result<Owned> {
    module(name)?.borrow().attr(interned(attribute)?.borrow())
}

/// The module of this name, if it has been imported.
pub fn imported(name: &CStr) -> Result<Option<Owned>> {
    // SAFETY: a live str; a new reference, or null, with an exception set if something failed.
    let module = unsafe { py::PyImport_GetModule(interned(name)?.as_ptr()) };
    match NonNull::new(module) {
        Some(module) => Ok(Some(Owned(module))),
        // SAFETY: an attached thread.
        None if unsafe { py::PyErr_Occurred() }.is_null() => Ok(None),
        None => Err(Raised::by_callee()),
    }
}

/// `dict[name] = value`, in a dict whose keys are `str`.
pub fn set_item(dict: &Owned, name: &Owned, value: Borrowed<'_>) -> Result<()> {
    // SAFETY: a live dict, and live objects.
    match unsafe { py::PyDict_SetItem(dict.as_ptr(), name.as_ptr(), value.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Raised::by_callee()),
    }
}

/// `dict[name]`, in a dict whose keys are `str`, or nothing.
pub fn get_item(dict: Borrowed<'_>, name: Borrowed<'_>) -> Result<Option<Owned>> {
    // A new reference, unlike `PyDict_GetItem`'s: other threads may change the dict.
    // SAFETY: two live objects; a new reference or null.
    let found = unsafe { py::PyObject_GetItem(dict.as_ptr(), name.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    match unsafe { Owned::from_call(found) } {
        Ok(value) => Ok(Some(value)),
        Err(raised) => raised.unless_key_error().map(|()| None),
    }
}

/// `code.co_flags`
pub fn code_flags(code: Borrowed<'_>) -> Result<i64> {
    let flags = code.attr(interned(c"co_flags")?.borrow())?;
    // SAFETY: a live object, whose type the call checks.
    let value = unsafe { py::PyLong_AsLongLong(flags.as_ptr()) };
    // SAFETY: an attached thread.
    if value == -1 && !unsafe { py::PyErr_Occurred() }.is_null() {
        return Err(Raised::by_callee());
    }
    Ok(value)
}

/// The items of a dict.
pub fn dict_items(dict: Borrowed<'_>) -> Result<Vec<(Owned, Owned)>> {
    // SAFETY: a live dict.
    let list = unsafe { py::PyDict_Items(dict.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let list = unsafe { Owned::from_call(list) }?;
    // SAFETY: a live list.
    let tuple = unsafe { py::PyList_AsTuple(list.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let tuple = unsafe { Owned::from_call(tuple) }?;
    let pairs = exact::tuple_items(tuple.borrow()).iter().filter_map(|&pair| match *exact::tuple_items(pair) {
        [key, value] => Some((Borrowed::to_owned(key), Borrowed::to_owned(value))),
        _ => None,
    });
    Ok(pairs.collect())
}

/// An interned `str`.
pub fn interned(text: &CStr) -> Result<Owned> {
    // SAFETY: a terminated string; the call returns a new reference or null.
    let pointer = unsafe { py::PyUnicode_InternFromString(text.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// An `int`.
pub fn int(value: i64) -> Result<Owned> {
    // SAFETY: returns a new reference or null.
    let pointer = unsafe { py::PyLong_FromLongLong(value) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// A `float`.
pub fn float(value: f64) -> Result<Owned> {
    // SAFETY: returns a new reference or null.
    let pointer = unsafe { py::PyFloat_FromDouble(value) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// An `int` that counts something.
pub fn count(value: u64) -> Result<Owned> {
    // SAFETY: returns a new reference or null.
    let pointer = unsafe { py::PyLong_FromUnsignedLongLong(value) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// `None`, as a new reference.
pub fn none() -> Owned {
    // SAFETY: set up before any extension is imported.
    let none = unsafe { py::Py_None() };
    // SAFETY: there as long as the interpreter.
    unsafe { Borrowed::from_ptr(none) }.to_owned()
}

/// `True` or `False`, as a new reference.
pub fn boolean(value: bool) -> Owned {
    // SAFETY: set up before any extension is imported.
    let object = if value { unsafe { py::Py_True() } } else { unsafe { py::Py_False() } };
    // SAFETY: there as long as the interpreter.
    unsafe { Borrowed::from_ptr(object) }.to_owned()
}

/// Turns a result into what a slot function returns: a new reference, or null with the exception set.
#[inline(always)]
pub fn to_slot(result: Result<Owned>) -> *mut py::PyObject {
    match result {
        Ok(object) => object.into_ptr(),
        Err(_raised) => std::ptr::null_mut(),
    }
}

/// Turns a result into what slot functions of success and failure return.
#[inline]
pub fn to_status(result: Result<()>) -> c_int {
    if result.is_ok() { 0 } else { -1 }
}

/// The text of a `str`, lone surrogates as question marks.
pub fn text(string: Borrowed<'_>) -> Result<String> {
    // SAFETY: a str and two terminated strings.
    let bytes = unsafe { py::PyUnicode_AsEncodedString(string.as_ptr(), c"utf-8".as_ptr(), c"replace".as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let bytes = unsafe { Owned::from_call(bytes) }?;
    Ok(String::from_utf8_lossy(super::plain::bytes_of(bytes.borrow())).into_owned())
}

/// A `str` of this text.
pub fn string(text: &str) -> Result<Owned> {
    // SAFETY: so many bytes of UTF-8.
    let string = unsafe { py::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as py::Py_ssize_t) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(string) }
}

/// The path that a `str` names, as the file system has it.
pub fn path(string: Borrowed<'_>) -> Result<std::path::PathBuf> {
    // SAFETY: a str.
    let bytes = unsafe { py::PyUnicode_EncodeFSDefault(string.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let bytes = unsafe { Owned::from_call(bytes) }?;
    match std::str::from_utf8(super::plain::bytes_of(bytes.borrow())) {
        Ok(path) => Ok(path.into()),
        Err(_) => Err(Raised::with(super::err::Kind::Value, c"a path must be text, not %R", string)),
    }
}

/// The number of this interpreter, which no other one of the process ever has.
pub fn interpreter() -> u64 {
    // SAFETY: an attached thread.
    let interpreter = unsafe { py::PyInterpreterState_Get() };
    // SAFETY: the interpreter of this thread. It fails for none that runs.
    unsafe { py::PyInterpreterState_GetID(interpreter) as u64 }
}

/// Runs `work` with this thread detached from the interpreter, so that others run meanwhile.
pub fn detached<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: an attached thread.
    let thread = unsafe { py::PyEval_SaveThread() };
    let result = work();
    // SAFETY: the state of this thread.
    unsafe { py::PyEval_RestoreThread(thread) };
    result
}

/// Runs the handlers of signals that have come, if this is the main thread. Reenters: those, which may raise.
pub fn check_signals() -> Result<()> {
    // SAFETY: an attached thread.
    match unsafe { py::PyErr_CheckSignals() } {
        0 => Ok(()),
        _ => Err(Raised::by_callee()),
    }
}
