// The Python module gleed._C.
#include <nanobind/nanobind.h>

#include "attention.h"
#include "bind_autograd.h"
#include "bind_engine.h"
#include "bind_tensor.h"
#include "contraction_kernels.h"
#include "generator.h"

NB_MODULE(_C, m) {
  m.attr("__version__") = GLEED_VERSION;
  gleed::bind_tensor(m);
  gleed::bind_engine(m);
  gleed::bind_autograd(m);
  if (!gleed::init_generator_type(m.ptr())) throw nanobind::python_error();
  gleed::bind_contraction(m);
  gleed::bind_attention(m);
}
