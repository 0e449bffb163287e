// The same file as C++17.
#include "use_tamis.c"
