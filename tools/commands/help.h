#pragma once
// How settings look in the help of a command.
#include <CLI/CLI.hpp>
#include <string>

#include "engine/config/config.h"

namespace lodestone::tools {

// "--no-x{false}" is how CLI11 names the negative form of a flag.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() {
    column_width(34);
    label("SUBCOMMAND", "COMMAND");
    label("OPTIONS", "options");
    label("Positionals", "Arguments");
  }
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    std::string name = CLI::Formatter::make_option_name(option, is_positional);
    if (const std::size_t at = name.find("{false}"); at != std::string::npos) name.erase(at, 7);
    return name;
  }
};

std::string shown_value(const config::Field& field);  // without quotes; empty when it is
std::string value_hint(const config::Field& field);   // "N [32]": what a flag takes, its default

}  // namespace lodestone::tools
