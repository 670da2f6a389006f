#include "library.h"

#include <vector>

namespace gleed {

namespace {

std::vector<Routine>& routines() {
  static std::vector<Routine> table;
  return table;
}

}  // namespace

void register_routine(const Routine& routine) { routines().push_back(routine); }

const Routine* find_routine(std::string_view name) {
  for (const Routine& routine : routines()) {
    if (routine.name == name) return &routine;
  }
  return nullptr;
}

}  // namespace gleed
