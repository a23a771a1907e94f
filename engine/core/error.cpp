#include "engine/core/error.h"

namespace lodestone {

void throw_error(ErrorKind kind, const std::string& message, std::source_location where) {
  throw Error(kind, message, where);
}

}  // namespace lodestone
