#include "tools/commands/commands.h"

int main(int argc, char** argv) {
  using namespace lodestone::tools;
  CommandLine line;
  add_doctor(line);
  add_simulate(line);
  add_vocab(line);
  add_tokenize(line);
  add_priors(line);
  add_pretrain(line);
  add_inspect(line);
  add_import(line);
  add_export(line);
  add_infer(line);
  add_embed(line);
  add_evaluate(line);
  add_report(line);
  return line.run(argc, argv);
}
