/* A module of functions that do no more than call those of tamis.h: compiled as C11, and by use_tamis.cpp as C++17. */

#include <Python.h>
#include <tamis.h>

static const TamisAPI *tamis;

/* A table that is not the library's, for reimport(). */
static TamisAPI forged;

/* Most functions take (cache, ...) as vectorcall hands it over, and pass the rest of it on as it is. */
#define TAKES_CACHE                                                          \
    if (nargs < 1) {                                                         \
        PyErr_SetString(PyExc_TypeError, "the first argument is the cache"); \
        return NULL;                                                         \
    }                                                                        \
    (void)module

#define FASTCALL_PARAMETERS PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames

static PyObject *truth_or_null(int truth) {
    return truth < 0 ? NULL : PyBool_FromLong(truth);
}

static PyObject *none_or_null(int status) {
    if (status < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *make(PyObject *module, PyObject *args) {
    PyObject *callable, *options = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "O|O:make", &callable, &options)) {
        return NULL;
    }
    return tamis->make(callable, options);
}

static PyObject *check(PyObject *module, PyObject *object) {
    (void)module;
    return truth_or_null(tamis->check(object));
}

static PyObject *call(FASTCALL_PARAMETERS) {
    TAKES_CACHE;
    return tamis->call(args[0], args + 1, (size_t)(nargs - 1), kwnames);
}

/* A tuple of the value, or None if there is no entry, so that a stored None can be told from it. */
static PyObject *lookup(FASTCALL_PARAMETERS) {
    PyObject *value, *tuple;
    TAKES_CACHE;
    value = tamis->lookup(args[0], args + 1, (size_t)(nargs - 1), kwnames);
    if (value == NULL) {
        if (PyErr_Occurred()) {
            return NULL;
        }
        Py_RETURN_NONE;
    }
    tuple = PyTuple_Pack(1, value);
    Py_DECREF(value);
    return tuple;
}

static PyObject *contains(FASTCALL_PARAMETERS) {
    TAKES_CACHE;
    return truth_or_null(tamis->contains(args[0], args + 1, (size_t)(nargs - 1), kwnames));
}

static PyObject *put(FASTCALL_PARAMETERS) {
    TAKES_CACHE;
    if (nargs < 2) {
        PyErr_SetString(PyExc_TypeError, "the second argument is the value");
        return NULL;
    }
    return none_or_null(tamis->put(args[0], args[1], args + 2, (size_t)(nargs - 2), kwnames));
}

static PyObject *invalidate(FASTCALL_PARAMETERS) {
    TAKES_CACHE;
    return truth_or_null(tamis->invalidate(args[0], args + 1, (size_t)(nargs - 1), kwnames));
}

static PyObject *clear(PyObject *module, PyObject *cache) {
    (void)module;
    return none_or_null(tamis->clear(cache));
}

/* The bytes around the counts, which must stay as they are whatever size the library is told. */
typedef struct {
    TamisCounts counts;
    unsigned char behind[64];
} Room;

/* counts(cache, size): as a caller that knows so many bytes of the struct. */
static PyObject *counts(PyObject *module, PyObject *args) {
    Room room;
    PyObject *cache;
    Py_ssize_t size = (Py_ssize_t)sizeof(TamisCounts);
    size_t at;
    (void)module;
    if (!PyArg_ParseTuple(args, "O|n:counts", &cache, &size)) {
        return NULL;
    }
    if (size < 0 || (size_t)size > sizeof(room)) {
        PyErr_SetString(PyExc_ValueError, "there is no room for so much");
        return NULL;
    }
    memset(&room, 0xA5, sizeof(room));
    if (tamis->counts(cache, &room.counts, (size_t)size) < 0) {
        return NULL;
    }
    for (at = (size_t)size; at < sizeof(room); at++) {
        if (((unsigned char *)&room)[at] != 0xA5) {
            PyErr_SetString(PyExc_AssertionError, "more was written than there was said to be room for");
            return NULL;
        }
    }
    for (at = sizeof(TamisCounts); at < (size_t)size; at++) {
        if (((unsigned char *)&room)[at] != 0) {
            PyErr_SetString(PyExc_AssertionError, "a field that the library does not know is not 0");
            return NULL;
        }
    }
#define AS_INT(field) #field, (unsigned long long)room.counts.field
    return Py_BuildValue("{s:K,s:K,s:K,s:L,s:K,s:K,s:K,s:K,s:K,s:K}", AS_INT(hits), AS_INT(misses), AS_INT(currsize),
                         "maxsize", (long long)room.counts.maxsize, AS_INT(evictions), AS_INT(expirations),
                         AS_INT(invalidations), AS_INT(stale_hits), AS_INT(coalesced), AS_INT(weight));
}

/* call_with_room(cache, argument): a call, and a search, with a free place in front of the argument (PEP 590). */
static PyObject *call_with_room(PyObject *module, PyObject *const *args, Py_ssize_t nargs) {
    PyObject *found, *result, *stack[2] = {NULL, NULL};
    size_t nargsf = 1 | PY_VECTORCALL_ARGUMENTS_OFFSET;
    TAKES_CACHE;
    if (nargs != 2) {
        PyErr_SetString(PyExc_TypeError, "there is one argument besides the cache");
        return NULL;
    }
    stack[1] = args[1];
    result = tamis->call(args[0], stack + 1, nargsf, NULL);
    if (result == NULL) {
        return NULL;
    }
    found = tamis->lookup(args[0], stack + 1, nargsf, NULL);
    if (found != result || tamis->contains(args[0], stack + 1, nargsf, NULL) != 1 ||
        tamis->put(args[0], result, stack + 1, nargsf, NULL) != 0 ||
        tamis->invalidate(args[0], stack + 1, nargsf, NULL) != 1) {
        PyErr_SetString(PyExc_AssertionError, "the flag is taken for a part of the number");
        Py_CLEAR(result);
    }
    Py_XDECREF(found);
    return result;
}

/* call_without_arguments(cache): with a null pointer for the arguments. */
static PyObject *call_without_arguments(PyObject *module, PyObject *cache) {
    PyObject *found, *result = tamis->call(cache, NULL, 0, NULL);
    (void)module;
    if (result == NULL) {
        return NULL;
    }
    found = tamis->lookup(cache, NULL, 0, NULL);
    if (found != result) {
        PyErr_SetString(PyExc_AssertionError, "what was found is not what was returned");
        Py_CLEAR(result);
    }
    Py_XDECREF(found);
    return result;
}

/* forge(abi_version, struct_size): a capsule like the library's with these numbers in its table. */
static PyObject *forge(PyObject *module, PyObject *args) {
    unsigned int abi_version, struct_size;
    (void)module;
    if (!PyArg_ParseTuple(args, "II:forge", &abi_version, &struct_size)) {
        return NULL;
    }
    forged = *tamis;
    forged.abi_version = abi_version;
    forged.struct_size = struct_size;
    return PyCapsule_New(&forged, TAMIS_CAPSULE_NAME, NULL);
}

/* Imports once more, and throws away what comes of it. */
static PyObject *reimport(PyObject *module, PyObject *ignored) {
    (void)module;
    (void)ignored;
    return tamis_import() == NULL ? NULL : Py_BuildValue("");
}

static PyObject *numbers(PyObject *module, PyObject *ignored) {
    (void)module;
    (void)ignored;
    return Py_BuildValue("{s:I,s:I,s:I,s:I,s:K}", "abi_version", (unsigned int)tamis->abi_version, "struct_size",
                         (unsigned int)tamis->struct_size, "known_version", (unsigned int)TAMIS_ABI_VERSION, "known_size",
                         (unsigned int)sizeof(TamisAPI), "address", (unsigned long long)(uintptr_t)tamis);
}

#define WITH_KEYWORDS(function) \
    { #function, (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS, NULL }

static PyMethodDef functions[] = {
    {"make", make, METH_VARARGS, NULL},
    {"check", check, METH_O, NULL},
    WITH_KEYWORDS(call),
    WITH_KEYWORDS(lookup),
    WITH_KEYWORDS(contains),
    WITH_KEYWORDS(put),
    WITH_KEYWORDS(invalidate),
    {"clear", clear, METH_O, NULL},
    {"counts", counts, METH_VARARGS, NULL},
    {"call_with_room", (PyCFunction)(void (*)(void))call_with_room, METH_FASTCALL, NULL},
    {"call_without_arguments", call_without_arguments, METH_O, NULL},
    {"forge", forge, METH_VARARGS, NULL},
    {"reimport", reimport, METH_NOARGS, NULL},
    {"numbers", numbers, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int exec_module(PyObject *module) {
    (void)module;
    /* The same pointer in every interpreter. */
    tamis = tamis_import();
    return tamis == NULL ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)exec_module},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

#define STRING_OF(name) #name
#define STRING(name) STRING_OF(name)
#define JOINED_OF(a, b) a##b
#define JOINED(a, b) JOINED_OF(a, b)

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, STRING(MODULE), NULL, 0, functions, slots, NULL, NULL, NULL,
};

#ifdef __cplusplus
extern "C"
#endif
PyMODINIT_FUNC JOINED(PyInit_, MODULE)(void) {
    return PyModuleDef_Init(&definition);
}
