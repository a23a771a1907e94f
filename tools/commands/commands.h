#pragma once
// Every command, one per file of its name; tools/main.cpp lists them in the order of the help.
#include "tools/commands/command.h"

namespace lodestone::tools {

void add_doctor(CommandLine& line);
void add_simulate(CommandLine& line);
void add_vocab(CommandLine& line);
void add_tokenize(CommandLine& line);
void add_priors(CommandLine& line);
void add_pretrain(CommandLine& line);
void add_inspect(CommandLine& line);
void add_import(CommandLine& line);
void add_export(CommandLine& line);
void add_infer(CommandLine& line);
void add_embed(CommandLine& line);
void add_evaluate(CommandLine& line);
void add_bench(CommandLine& line);
void add_report(CommandLine& line);

}  // namespace lodestone::tools
