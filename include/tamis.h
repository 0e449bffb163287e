/* tamis.h: the caches of tamis, for C and C++.
 *
 * Compiles as C11 and C++17, against the headers of CPython 3.10 or newer. Needs no library to link with: the
 * functions are reached through the capsule `tamis._core._C_API`. `tamis.get_include()` names the directory that this
 * file is in.
 *
 *     #include <Python.h>
 *     #include <tamis.h>
 *
 *     static const TamisAPI *tamis;
 *
 *     static int my_module_exec(PyObject *module) {
 *         tamis = tamis_import();
 *         return tamis == NULL ? -1 : 0;
 *     }
 *
 *     PyObject *cached = tamis->make(function, NULL);
 *     PyObject *result = tamis->call(cached, &argument, 1, NULL);
 *
 * RULES FOR ALL FUNCTIONS
 *
 * Threads. The calling thread has an attached thread state ("holds the GIL", where there is one), that of the
 * interpreter in which the cache was made. On free-threaded builds any number of threads may call any of these
 * functions on one cache at once, with no lock of their own. Never call one with a borrowed reference that another
 * thread may give back meanwhile.
 *
 * Interpreters. The table of functions is one for the whole process, constant, and stays until it ends: a pointer to
 * it may be kept in a static variable and used in every interpreter. Caches are objects and belong to the interpreter
 * that they were made in, as all objects do.
 *
 * References. Arguments are borrowed: no function takes over a reference. Those that return a `PyObject *` return a
 * new reference. A cache holds references of its own to what is stored in it.
 *
 * Errors. NULL, or -1, says that an exception is set, but see `lookup`. What is not a cache of tamis where one is
 * asked for raises TypeError. Call none of these functions with an exception set. Unless it is said otherwise, no
 * argument may be NULL.
 *
 * Python code. Functions marked "May run Python code" may run anything: `__hash__` and `__eq__` of arguments, options
 * such as `key` and `on_evict`, finalizers of what leaves the cache. That code may come back to the same cache, clear
 * it, or switch threads; so hold no lock of yours that it may want. While one of them runs, the cache, the callable
 * and the arguments must stay alive, as in any call.
 *
 * The arguments of a call are given as to `PyObject_Vectorcall()` (PEP 590): `args` points to the positional
 * arguments, and behind them the values of the keyword arguments, and may be NULL if there are none; `nargsf` is the
 * number of positional arguments, to which PY_VECTORCALL_ARGUMENTS_OFFSET may be added; `kwnames` is a tuple of
 * `str`, the names of the keyword arguments, or NULL.
 */
#ifndef TAMIS_H
#define TAMIS_H

#include <Python.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when a field of TamisAPI changes its meaning. New fields come at the end, and change nothing here. */
#define TAMIS_ABI_VERSION 1
#define TAMIS_CAPSULE_NAME "tamis._core._C_API"

/* What a cache has done since it was made or cleared, as `cache_stats()` tells it, and its size. */
typedef struct {
    uint64_t hits;
    uint64_t misses;
    /* Entries now. */
    uint64_t currsize;
    /* Entries at most; -1 if there is no bound. */
    int64_t maxsize;
    uint64_t evictions;
    uint64_t expirations;
    uint64_t invalidations;
    uint64_t stale_hits;
    uint64_t coalesced;
    /* The sum of what the entries weigh, with the option `weigher`. */
    uint64_t weight;
} TamisCounts;

typedef struct {
    /* TAMIS_ABI_VERSION of the library, and its sizeof(TamisAPI). tamis_import() checks both. */
    uint32_t abi_version;
    uint32_t struct_size;

    /* A new cache around a callable: `lru_cache(**options)(callable)`, and `lru_cache(callable)` (128 entries)
     * without options.
     *
     * options: a dict from names (`str`) to values, those that lru_cache() takes: maxsize, typed, ttl ...; or NULL. It
     *     is not kept; what is in it is.
     * Returns a new reference, or NULL with an exception: TypeError for what is not callable, no dict, or unknown;
     *     TypeError or ValueError for wrong values; or whatever an attribute of the callable raises.
     * May run Python code. */
    PyObject *(*make)(PyObject *callable, PyObject *options);

    /* Whether the object is a cache that the functions below take: 1 or 0. Never fails, runs no Python code. */
    int (*check)(PyObject *object);

    /* Calls the cached function. `PyObject_Vectorcall(cache, ...)` does the same, and checks more of it.
     *
     * Returns a new reference to the result, stored or computed (a coroutine, where the function is a coroutine
     *     function), or NULL with the exception that the function, a `__hash__`, a `__eq__` or an option raised.
     * May run Python code. On a hit with arguments of built-in types, and without options that are callables, it runs
     * none. */
    PyObject *(*call)(PyObject *cache, PyObject *const *args, size_t nargsf, PyObject *kwnames);

    /* The result that is stored for a call, without computing it. Counts as a hit or a miss, and as a use of the
     * entry. An entry past its `ttl` but not past its `stale` time is returned. Of a coroutine function it is the
     * awaited result.
     *
     * Returns a new reference; or NULL WITHOUT an exception if there is none; or NULL with an exception: ask
     *     PyErr_Occurred().
     * May run Python code. */
    PyObject *(*lookup)(PyObject *cache, PyObject *const *args, size_t nargsf, PyObject *kwnames);

    /* Whether there is an entry for a call: 1, 0, or -1 with an exception. Counts nothing, and is no use of it.
     * May run Python code. */
    int (*contains)(PyObject *cache, PyObject *const *args, size_t nargsf, PyObject *kwnames);

    /* Stores a value for a call, in the place of what is stored for it. Counts nothing. Nothing is stored with
     * maxsize 0.
     *
     * Returns 0, or -1 with an exception. The cache takes a reference of its own to the value, and to the arguments
     *     if it keeps them.
     * May run Python code: at the least, finalizers of what leaves. */
    int (*put)(PyObject *cache, PyObject *value, PyObject *const *args, size_t nargsf, PyObject *kwnames);

    /* Drops the entry for a call: 1 if there was one, 0 if not, -1 with an exception.
     * May run Python code. */
    int (*invalidate)(PyObject *cache, PyObject *const *args, size_t nargsf, PyObject *kwnames);

    /* Drops all entries and zeroes the counts. Returns 0, or -1 with an exception (MemoryError).
     * May run Python code. */
    int (*clear)(PyObject *cache);

    /* Reads the counts. On free-threaded builds with threads at work, each is right for some moment of the call.
     *
     * counts: room for them; size: sizeof(TamisCounts), as the caller knows it. Fields that the library does not know
     *     become 0.
     * Returns 0, or -1 with an exception. Runs no Python code. */
    int (*counts)(PyObject *cache, TamisCounts *counts, size_t size);
} TamisAPI;

#ifdef __cplusplus
static_assert(sizeof(TamisCounts) == 80, "ten fields of 64 bits");
static_assert(sizeof(TamisAPI) == 8 + 9 * sizeof(void *), "two fields of 32 bits and nine functions");
#else
_Static_assert(sizeof(TamisCounts) == 80, "ten fields of 64 bits");
_Static_assert(sizeof(TamisAPI) == 8 + 9 * sizeof(void *), "two fields of 32 bits and nine functions");
#endif

/* The functions, or NULL with an exception. Imports tamis, so it may run Python code.
 *
 * ImportError if tamis is not there, is of another ABI version, or is older than this header; AttributeError if it
 * has no C API at all. A module that was compiled with an older header goes on working: what it knows of the table has
 * not moved.
 *
 * Each interpreter that uses a module has to call it once, from the module's exec slot say, so that tamis is imported
 * there; all of them get the same pointer. */
static inline const TamisAPI *tamis_import(void) {
    const TamisAPI *api = (const TamisAPI *)PyCapsule_Import(TAMIS_CAPSULE_NAME, 0);
    if (api == NULL) {
        return NULL;
    }
    if (api->abi_version != TAMIS_ABI_VERSION) {
        PyErr_Format(PyExc_ImportError, "tamis has ABI version %u, and this module was compiled for version %u",
                     (unsigned int)api->abi_version, (unsigned int)TAMIS_ABI_VERSION);
        return NULL;
    }
    if (api->struct_size < sizeof(TamisAPI)) {
        PyErr_Format(PyExc_ImportError,
                     "tamis is older than this module asks for: its table of functions has %u bytes, not %u",
                     (unsigned int)api->struct_size, (unsigned int)sizeof(TamisAPI));
        return NULL;
    }
    return api;
}

#ifdef __cplusplus
}
#endif

#endif /* TAMIS_H */
