/* The floor: what a call of a C callable costs when the callable does nothing.
 *
 * `Floor()` makes an object whose vectorcall returns a new reference to its first argument (None without arguments).
 * It binds like a function (METHOD_DESCRIPTOR and tp_descr_get), so it is the floor of method calls as well.
 * No cache of any kind can be faster than this through the interpreter's generic call path.
 *
 * `count(go, name)` calls go() under callgrind and dumps the instructions that took, where callgrind's header was found at
 * build time (HAS_CALLGRIND). Outside valgrind it only calls: the requests are a few instructions that do nothing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>

#if PY_VERSION_HEX < 0x030C0000
#include <structmember.h>
#define Py_T_PYSSIZET T_PYSSIZET
#define Py_READONLY READONLY
#endif

#ifdef __has_include
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define HAS_CALLGRIND 1
#endif
#endif
#ifndef HAS_CALLGRIND
#define HAS_CALLGRIND 0
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
} FloorObject;

static PyObject *
floor_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    (void)self;
    /* The values of keyword arguments follow the positional ones, so args[0] is the first argument of either kind. */
    PyObject *first = PyVectorcall_NARGS(nargsf) > 0 || kwnames != NULL ? args[0] : Py_None;
    Py_INCREF(first);
    return first;
}

static PyObject *
floor_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Floor", names)) {
        return NULL;
    }
    FloorObject *self = (FloorObject *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->vectorcall = floor_vectorcall;
    }
    return (PyObject *)self;
}

static void
floor_tp_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type); /* instances of heap types own a reference to their type */
}

static PyObject *
floor_tp_descr_get(PyObject *self, PyObject *obj, PyObject *type)
{
    (void)type;
    if (obj == NULL || obj == Py_None) {
        Py_INCREF(self);
        return self;
    }
    return PyMethod_New(self, obj);
}

static PyMemberDef floor_members[] = {
    {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(FloorObject, vectorcall), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot floor_slots[] = {
    {Py_tp_doc, "A callable that returns its first argument."},
    {Py_tp_new, floor_tp_new},
    {Py_tp_dealloc, floor_tp_dealloc},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_descr_get, floor_tp_descr_get},
    {Py_tp_members, floor_members},
    {0, NULL},
};

static PyType_Spec floor_spec = {
    .name = "_floor.Floor",
    .basicsize = sizeof(FloorObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = floor_slots,
};

static PyObject *
module_count(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *go;
    const char *name;
    if (!PyArg_ParseTuple(args, "Os:count", &go, &name)) {
        return NULL;
    }
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    PyObject *result = PyObject_CallNoArgs(go);
    CALLGRIND_DUMP_STATS_AT(name);
    CALLGRIND_STOP_INSTRUMENTATION;
    return result;
}

static PyMethodDef module_methods[] = {
    {"count", module_count, METH_VARARGS, "count(go, name): call go(), and write its instructions under a name."},
    {NULL, NULL, 0, NULL},
};

static int
module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &floor_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    int status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    if (status < 0) {
        return -1;
    }
    return PyModule_AddIntConstant(module, "HAS_CALLGRIND", HAS_CALLGRIND);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_floor",
    .m_doc = "The cost of an empty call.",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__floor(void)
{
    return PyModuleDef_Init(&module_def);
}
