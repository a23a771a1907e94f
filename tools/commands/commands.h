#pragma once
// Every command, one per file of its name; tools/main.cpp lists them in the order of the help.
#include "tools/commands/command.h"

namespace lodestone::tools {

void add_doctor(CommandLine& line);

}  // namespace lodestone::tools
