#include "tools/commands/commands.h"

int main(int argc, char** argv) {
  using namespace lodestone::tools;
  CommandLine line;
  add_doctor(line);
  add_embed(line);
  add_evaluate(line);
  return line.run(argc, argv);
}
