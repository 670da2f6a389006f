// The Python module gleed._C.
#include <nanobind/nanobind.h>

NB_MODULE(_C, m) { m.attr("__version__") = GLEED_VERSION; }
