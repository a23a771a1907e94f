#pragma once
// One frame for all commands. A command is a settings struct, a function and a text:
//
//   struct CountSettings {
//     std::string input, out;
//     std::int64_t cells = 0;
//     template <class Visitor>
//     void fields(Visitor& visit) {
//       visit("input", input, "cells (.h5ad)");
//       visit("out", out, "table to write (.tsv)");
//       visit("cells", cells, "cells to count; 0 = all");
//     }
//     void validate() const;  // optional
//   };
//   void count(const CountSettings& settings, Run& run);
//   void add_count(CommandLine& line) {
//     line.add<CountSettings>({.name = "count",
//                              .summary = "Counts genes",
//                              .positionals = {"input"},
//                              .required = {"input", "out"},
//                              .inputs = {"input"},
//                              .outputs = {"out"}},
//                             count);
//   }
//
// The frame makes flags of the struct's own fields (max_cells: --max-cells N; a bool: --x and
// --no-x; a list: may be given repeatedly); fields of nested structs are set by --set
// loader.prefetch=0. It fills the struct (default < --config file < environment < --set < flag),
// checks it, checks that inputs exist, runs the function, and leaves a manifest beside every output
// that exists afterwards.
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/config/config.h"
#include "tools/run.h"

namespace lodestone::tools {

// Lists name fields of the settings struct.
struct CommandText {
  std::string name;     // "tokenize"; "priors import" belongs to the group, or command, "priors"
  std::string summary;  // one line in the list of commands
  std::string description;                    // what it reads, does and writes; examples
  std::vector<std::string> positionals = {};  // given without a flag, in this order
  std::vector<std::string> required = {};     // texts or lists that must not be empty
  std::vector<std::string> inputs = {};   // paths read: must exist, are hashed into the manifest
  std::vector<std::string> outputs = {};  // paths written: get a manifest
  bool plans = false;  // --dry-run calls the function too, with run.dry_run(); it writes nothing
};

class CommandLine {
 public:
  CommandLine();
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // `body(settings, run)` returns nothing, or an exit code (75: stopped by a signal after saving).
  template <class Settings, class Body>
  void add(CommandText text, Body body) {
    auto settings = std::make_shared<Settings>();
    Command command{std::move(text), config::fields_of(*settings), {}, {}};
    command.validate = [settings] {
      if constexpr (requires { settings->validate(); }) settings->validate();
    };
    command.body = [settings, body](Run& run) {
      if constexpr (std::is_void_v<decltype(body(*settings, run))>) {
        body(*settings, run);
        return 0;
      } else {
        return static_cast<int>(body(*settings, run));
      }
    };
    add(std::move(command));
  }

  // Parses, runs one command and returns the exit code of design/cli.md. Errors are one sentence on
  // stderr.
  int run(int argc, const char* const* argv);

 private:
  struct Command {
    CommandText text;
    std::vector<config::Field> fields;
    std::function<void()> validate;
    std::function<int(Run&)> body;
  };
  struct Impl;
  void add(Command command);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lodestone::tools
