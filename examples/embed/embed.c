/* A program that embeds Python with tamis linked into it: `embed tamis.zip [ROUNDS]`.
 *
 * Each round starts Python, uses tamis in the main interpreter (from Python and through tamis.h), then in
 * sub-interpreters with a GIL of their own, several at once in as many threads, and ends Python again. Exit status 1
 * at the first thing that goes wrong.
 *
 * docs/embedding.md explains every step.
 */

#include <Python.h>
#include <tamis.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#if PY_VERSION_HEX < 0x030C0000
#error "sub-interpreters with a GIL of their own came with Python 3.12"
#endif

#define THREADS 4
#define INTERPRETERS_OF_A_THREAD 3

/* From libtamis.a. */
PyMODINIT_FUNC PyInit__core(void);

/* What every interpreter does. */
static const char WORK[] =
    "import sys, threading\n"
    "import tamis, tamis._core\n"
    "assert 'tamis._core' in sys.builtin_module_names\n"
    "\n"
    "@tamis.lru_cache(maxsize=100)\n"
    "def fibonacci(n):\n"
    "    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)\n"
    "assert fibonacci(60) == 1548008755920\n"
    "assert fibonacci.cache_info() == (58, 61, 100, 61), fibonacci.cache_info()\n"
    "\n"
    "left = []\n"
    "@tamis.cache(maxsize=4, ttl=60, on_evict=lambda key, value, cause: left.append((key, cause)), single_flight=True)\n"
    "def pair(*args, **kwargs):\n"
    "    return [args, kwargs]\n"
    "for number in range(8):\n"
    "    assert pair(number, word=str(number)) is pair(number, word=str(number))\n"
    "assert len(left) == 4, left\n"
    "\n"
    "class Account:\n"
    "    @tamis.cached_method\n"
    "    def balance(self, day):\n"
    "        return [self, day]\n"
    "account = Account()\n"
    "assert account.balance(1) is account.balance(1)\n"
    "\n"
    "@tamis.cache\n"
    "async def later(x):\n"
    "    return [x]\n"
    "def result_of(coroutine):\n"
    "    try:\n"
    "        coroutine.send(None)\n"
    "    except StopIteration as stop:\n"
    "        return stop.value\n"
    "assert result_of(later(1)) is result_of(later(1))\n"
    "\n"
    "threads = [threading.Thread(target=lambda: [pair(n % 5) for n in range(100)]) for _ in range(3)]\n"
    "for thread in threads: thread.start()\n"
    "for thread in threads: thread.join()\n"
    "assert pair.cache_info().currsize == 4\n"
    "\n"
    "# Caches in use, in a cycle, and with a value whose finalizer calls back, when the interpreter ends.\n"
    "class Last:\n"
    "    def __del__(self, fibonacci=fibonacci):\n"
    "        fibonacci(1)\n"
    "fibonacci.cache_put(Last(), 'last')\n"
    "fibonacci.cycle = pair\n"
    "pair.cycle = fibonacci\n";

/* tamis.zip */
static const char *archive;

static void fail(const char *what) {
    if (PyErr_Occurred()) {
        PyErr_Print();
    }
    fprintf(stderr, "embed: %s\n", what);
    exit(1);
}

static void fail_if(PyStatus status, const char *what) {
    if (PyStatus_Exception(status)) {
        fprintf(stderr, "embed: %s: %s\n", what, status.err_msg == NULL ? "exit" : status.err_msg);
        exit(1);
    }
}

static void start_python(void) {
    PyConfig config;
    /* Before each start: Python forgets what was appended when it ends. */
    if (PyImport_AppendInittab("tamis._core", PyInit__core) < 0) {
        fail("no memory for a built-in module");
    }
    PyConfig_InitIsolatedConfig(&config);
    fail_if(Py_InitializeFromConfig(&config), "Python does not start");
    PyConfig_Clear(&config);
}

/* Lets this interpreter find the part of tamis that is written in Python. */
static void add_archive(void) {
    PyObject *path = PySys_GetObject("path"); /* borrowed */
    PyObject *name = PyUnicode_DecodeFSDefault(archive);
    if (path == NULL || name == NULL || PyList_Insert(path, 0, name) < 0) {
        fail("no archive in sys.path");
    }
    Py_DECREF(name);
}

/* A cache around a callable of Python's, used from C. */
static void use_from_c(void) {
    const TamisAPI *tamis = tamis_import();
    PyObject *options, *cache, *argument, *first, *second;
    TamisCounts counts;
    if (tamis == NULL) {
        fail("tamis can't be imported");
    }
    options = Py_BuildValue("{s:i,s:i}", "maxsize", 100, "ttl", 60);
    cache = options == NULL ? NULL : tamis->make((PyObject *)&PyList_Type, options);
    argument = Py_BuildValue("(ii)", 1, 2);
    if (cache == NULL || argument == NULL) {
        fail("no cache");
    }
    first = tamis->call(cache, &argument, 1, NULL);
    second = tamis->lookup(cache, &argument, 1, NULL);
    if (first == NULL || first != second || tamis->counts(cache, &counts, sizeof(counts)) < 0) {
        fail("no hit");
    }
    if (counts.hits != 1 || counts.misses != 1 || counts.currsize != 1 || counts.maxsize != 100) {
        fail("wrong counts");
    }
    Py_DECREF(first);
    Py_DECREF(second);
    Py_DECREF(argument);
    Py_DECREF(cache);
    Py_DECREF(options);
}

static void work(void) {
    add_archive();
    if (PyRun_SimpleString(WORK) != 0) {
        fail("the work in Python failed");
    }
    use_from_c();
}

/* Starts and ends interpreters, each with a GIL of its own. */
static void *run_interpreters(void *ignored) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyThreadState *main_thread_state = PyThreadState_Get();
    int number;
    for (number = 0; number < INTERPRETERS_OF_A_THREAD; number++) {
        PyInterpreterConfig config = {
            .use_main_obmalloc = 0,
            .allow_fork = 0,
            .allow_exec = 0,
            .allow_threads = 1,
            .allow_daemon_threads = 0,
            .check_multi_interp_extensions = 1,
            .gil = PyInterpreterConfig_OWN_GIL,
        };
        PyThreadState *thread_state;
        /* Lets go of the main interpreter's GIL, and takes that of the new one. */
        fail_if(Py_NewInterpreterFromConfig(&thread_state, &config), "no new interpreter");
        work();
        Py_EndInterpreter(thread_state);
        PyThreadState_Swap(main_thread_state);
    }
    PyGILState_Release(state);
    return ignored;
}

int main(int argc, char **argv) {
    int round, rounds = argc > 2 ? atoi(argv[2]) : 10;
    if (argc < 2 || rounds < 1) {
        fprintf(stderr, "usage: %s tamis.zip [ROUNDS]\n", argv[0]);
        return 2;
    }
    archive = argv[1];
    for (round = 0; round < rounds; round++) {
        pthread_t threads[THREADS];
        int number;
        start_python();
        work();
        Py_BEGIN_ALLOW_THREADS
        for (number = 0; number < THREADS; number++) {
            if (pthread_create(&threads[number], NULL, run_interpreters, NULL) != 0) {
                fprintf(stderr, "embed: no new thread\n");
                exit(1);
            }
        }
        for (number = 0; number < THREADS; number++) {
            pthread_join(threads[number], NULL);
        }
        Py_END_ALLOW_THREADS
        /* The main interpreter's caches are what they were. */
        if (PyRun_SimpleString("assert fibonacci(60) == 1548008755920 and fibonacci.cache_info().currsize == 62") != 0) {
            fail("the main interpreter's caches are not what they were");
        }
        if (Py_FinalizeEx() != 0) {
            fprintf(stderr, "embed: Python did not end well\n");
            return 1;
        }
    }
    printf("%d rounds of 1 + %d interpreters\n", rounds, THREADS * INTERPRETERS_OF_A_THREAD);
    return 0;
}
