#include "tools/commands/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/core/threads.h"
#include "tools/build_info.h"
#include "tools/commands/help.h"
#include "tools/exit_code.h"

namespace lodestone::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

std::string dashed(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The folder a file or directory lies in: "runs" for "runs/a" and "runs/a/"; empty for "a".
fs::path folder_of(const fs::path& path) {
  return path.has_filename() ? path.parent_path() : path.parent_path().parent_path();
}

// Makes the folders that outputs lie in; those that are empty at the end go again.
class OutputFolders {
 public:
  OutputFolders() = default;
  ~OutputFolders() {
    std::error_code ignored;
    for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder)
      fs::remove(*folder, ignored);
  }
  OutputFolders(const OutputFolders&) = delete;
  OutputFolders& operator=(const OutputFolders&) = delete;
  void make(const fs::path& folder) {
    if (folder.empty() || fs::exists(folder)) return;
    make(folder.parent_path());
    fs::create_directory(folder);
    made_.push_back(folder);
  }

 private:
  std::vector<fs::path> made_;  // parents first
};

// The values of a text or list setting that are not empty.
std::vector<std::string> texts_of(const config::Field& field) {
  if (const auto* one = std::get_if<std::string*>(&field.target))
    return (*one)->empty() ? std::vector<std::string>{} : std::vector<std::string>{**one};
  return *std::get<std::vector<std::string>*>(field.target);
}

}  // namespace

// A flag or argument made from a setting.
struct Flag {
  config::Field field;
  CLI::Option* option = nullptr;

  void apply() const {
    if (option->count() == 0) return;
    if (auto* list = std::get_if<std::vector<std::string>*>(&field.target))
      **list = option->results();
    else
      config::apply_text(field, option->results().back(), option->get_name());
  }
};

struct CommandLine::Impl {
  struct Entry {
    Command command;
    CLI::App* app = nullptr;
    std::vector<config::Field> fields;  // the command's, then those of every command
    std::vector<Flag> flags;
  };

  CLI::App app{
      "lodestone: pretrains and evaluates GeneCompass, a foundation model of single cells"};
  RunSettings run_settings;
  OutputOptions output;
  bool print_config = false;
  std::vector<std::string> config_files, assignments, argv;
  std::vector<std::unique_ptr<Entry>> entries;

  CLI::App* make_app(const CommandText& text);
  void add_flag(Entry& entry, const config::Field& field);
  void add_common_flags(Entry& entry);
  const config::Field& field(const Entry& entry, const std::string& name) const;
  std::vector<std::string> paths(const Entry& entry, const std::vector<std::string>& names) const;
  std::optional<int> parse(int argc, const char* const* argv);
  int usage_error(const CLI::ParseError& error) const;
  void resolve(const Entry& entry);
  void check_required(const Entry& entry) const;
  void check_paths(const Entry& entry) const;
  int execute(const Entry& entry);
  int dry_run(const Entry& entry) const;
};

CLI::App* CommandLine::Impl::make_app(const CommandText& text) {
  CLI::App* parent = &app;
  std::string name = text.name;
  if (const std::size_t space = name.find(' '); space != std::string::npos) {
    const std::string group = name.substr(0, space);
    const auto found =
        app.get_subcommands([&](CLI::App* known) { return known->get_name() == group; });
    parent = found.empty() ? nullptr : found.front();
    const bool is_command = std::any_of(entries.begin(), entries.end(),
                                        [&](const auto& entry) { return entry->app == parent; });
    if (!parent) parent = app.add_subcommand(group)->group("Commands");
    if (!is_command) {
      const std::string known_names = parent->get_description();
      parent->description(known_names.empty() ? text.summary : known_names + "; " + text.summary);
      parent->require_subcommand(1);
      parent->footer(fmt::format("lodestone {} COMMAND --help tells more.", group));
    }
    name = name.substr(space + 1);
  }
  CLI::App* made = parent->add_subcommand(name, text.summary);
  made->group("Commands");
  made->set_help_flag();  // comes back after the command's own options
  return made;
}

// Root settings become flags (arguments if the command says so); nested ones are listed in the
// help.
void CommandLine::Impl::add_flag(Entry& entry, const config::Field& field) {
  if (field.path.find('.') != std::string::npos) return;
  const std::string name = dashed(field.path);
  const bool positional = contains(entry.command.text.positionals, field.path);
  CLI::Option* option = nullptr;
  if (std::holds_alternative<bool*>(field.target)) {
    option = entry.app->add_flag(fmt::format("--{0},!--no-{0}", name));
  } else {
    option = entry.app->add_option(positional ? field.path : "--" + name);
    if (std::holds_alternative<std::vector<std::string>*>(field.target)) {
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      option->expected(positional ? -1 : 1);
    } else {
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }
  const bool required =
      contains(entry.command.text.required, field.path) && texts_of(field).empty();
  option->description(field.help + (required ? " (required)" : ""));
  option->option_text(value_hint(field).empty() ? " " : value_hint(field));
  entry.flags.push_back({field, option});
}

void CommandLine::Impl::add_common_flags(Entry& entry) {
  CLI::App& to = *entry.app;
  const auto take_all = CLI::MultiOptionPolicy::TakeAll;
  for (std::size_t i = entry.command.fields.size(); i < entry.fields.size(); ++i) {
    add_flag(entry, entry.fields[i]);
    entry.flags.back().option->group("Common options");
  }
  const auto common = [](CLI::Option* option) { return option->group("Common options"); };
  common(to.add_option("--config", config_files, "settings file (TOML); may be repeated"))
      ->multi_option_policy(take_all)
      ->expected(1)
      ->option_text("FILE");
  common(to.add_option("--set", assignments,
                       "one setting, for example loader.batch_cells=64; repeatable"))
      ->multi_option_policy(take_all)
      ->expected(1)
      ->option_text("KEY=VALUE");
  common(
      to.add_flag("--print-config", print_config, "print the resolved settings (TOML) and stop"));
  common(to.add_flag("--dry-run", output.dry_run, "check everything, write nothing"));
  common(to.add_flag("--json", output.json, "print the result as one JSON object"));
  common(to.add_flag("--quiet", output.quiet, "no progress, only warnings and errors"));
  common(to.set_version_flag("--version", version_text(), "print the version and stop"));
  common(to.set_help_flag("-h,--help", "print this and stop"));
}

const config::Field& CommandLine::Impl::field(const Entry& entry, const std::string& name) const {
  const auto found = std::find_if(entry.fields.begin(), entry.fields.end(),
                                  [&](const config::Field& f) { return f.path == name; });
  if (found == entry.fields.end())
    fail(ErrorKind::kInternal, "{}: no setting '{}'", entry.command.text.name, name);
  return *found;
}

std::vector<std::string> CommandLine::Impl::paths(const Entry& entry,
                                                  const std::vector<std::string>& names) const {
  std::vector<std::string> paths;
  for (const std::string& name : names)
    for (std::string& path : texts_of(field(entry, name))) paths.push_back(std::move(path));
  return paths;
}

std::optional<int> CommandLine::Impl::parse(int argc, const char* const* arguments) {
  argv.assign(arguments, arguments + argc);
  try {
    app.parse(argc, arguments);
  } catch (const CLI::CallForVersion&) {
    fmt::print("{}\n", version_text());
    return 0;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return usage_error(error);
  }
  return std::nullopt;
}

int CommandLine::Impl::usage_error(const CLI::ParseError& error) const {
  const CLI::App* at = &app;
  std::string name = "lodestone";
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    name += " " + at->get_name();
  }
  const std::vector<std::string> unknown = at->remaining();
  if (unknown.empty())
    return report_failure(kExitUsage, fmt::format("{}; see {} --help", error.what(), name));
  std::vector<std::string> known;
  if (unknown.front().starts_with('-')) {
    for (const CLI::Option* option : at->get_options())
      for (const std::string& flag : option->get_lnames()) known.push_back("--" + flag);
    return report_failure(kExitUsage,
                          fmt::format("{} has no option {}{}; see {} --help", name,
                                      unknown.front().substr(0, unknown.front().find('=')),
                                      config::did_you_mean(unknown.front(), known), name));
  }
  for (const CLI::App* command : at->get_subcommands({})) known.push_back(command->get_name());
  if (known.empty())
    return report_failure(kExitUsage, fmt::format("{}: unexpected argument '{}'; see {} --help",
                                                  name, unknown.front(), name));
  return report_failure(
      kExitUsage, fmt::format("{} has no command '{}'{}; see {} --help", name, unknown.front(),
                              config::did_you_mean(unknown.front(), known), name));
}

// Default < file < environment < --set < flag.
void CommandLine::Impl::resolve(const Entry& entry) {
  for (const std::string& file : config_files) config::apply_toml_file(entry.fields, file);
  config::apply_environment(entry.fields);
  for (const std::string& assignment : assignments)
    config::apply_assignment(entry.fields, assignment);
  for (const Flag& flag : entry.flags) flag.apply();
}

void CommandLine::Impl::check_required(const Entry& entry) const {
  const CommandText& text = entry.command.text;
  for (const std::string& name : text.required) {
    const bool positional = contains(text.positionals, name);
    check(!texts_of(field(entry, name)).empty(),
          "{}: {}{} is required ({}); see lodestone {} --help", text.name, positional ? "" : "--",
          positional ? name : dashed(name), field(entry, name).help, text.name);
  }
}

void CommandLine::Impl::check_paths(const Entry& entry) const {
  const std::vector<std::string> inputs = paths(entry, entry.command.text.inputs);
  for (const std::string& input : inputs)
    check_input(fs::exists(input), "{}: there is no such file or directory; check the path", input);
  for (const std::string& output_path : paths(entry, entry.command.text.outputs)) {
    for (const std::string& input : inputs)
      check(!fs::exists(output_path) || !fs::equivalent(input, output_path),
            "{}: input and output are the same; give another output", output_path);
    if (const fs::path folder = folder_of(output_path); !folder.empty())
      check(!fs::exists(folder) || fs::is_directory(folder),
            "{}: cannot be written, {} is not a directory", output_path, folder.string());
  }
}

int CommandLine::Impl::dry_run(const Entry& entry) const {
  const auto inputs = paths(entry, entry.command.text.inputs);
  const auto outputs = paths(entry, entry.command.text.outputs);
  if (output.json) {
    const ordered_json plan = {{"command", entry.command.text.name},
                               {"reads", inputs},
                               {"writes", outputs},
                               {"config", ordered_json::parse(config::to_json(entry.fields))}};
    fmt::print("{}\n", plan.dump(2));
    return 0;
  }
  fmt::print("{}: settings and inputs can be used; nothing was done\n", entry.command.text.name);
  for (const std::string& path : inputs) fmt::print("reads   {}\n", path);
  for (const std::string& path : outputs) fmt::print("writes  {}\n", path);
  return 0;
}

int CommandLine::Impl::execute(const Entry& entry) {
  const Command& command = entry.command;
  if (print_config) {
    fmt::print("{}", config::to_toml(entry.fields));
    return 0;
  }
  if (output.quiet) log::set_level(log::Level::kWarning);
  check_required(entry);
  run_settings.validate();
  command.validate();
  check_paths(entry);
  if (run_settings.threads > 0) set_thread_count(run_settings.threads);
  if (output.dry_run && !command.text.plans) return dry_run(entry);

  Run run(run_settings, output, Manifest(argv, ordered_json::parse(config::to_json(entry.fields))));
  std::vector<std::string> outputs;
  if (!output.dry_run) outputs = paths(entry, command.text.outputs);
  if (!outputs.empty())
    for (const std::string& path : paths(entry, command.text.inputs))
      run.manifest().add_input(path);
  OutputFolders folders;
  std::set<std::string> old;
  for (const std::string& path : outputs) {
    if (fs::exists(path)) old.insert(path);
    folders.make(folder_of(path));
  }
  const int code = exit_code_of([&] { return command.body(run); });
  // What a failed command left of an earlier one keeps the manifest of that one.
  const bool failed = code != kExitOk && code != kExitRequeue;
  for (const std::string& path : outputs)
    if (fs::exists(path) && !(failed && old.contains(path))) run.manifest().write(path, code);
  return code;
}

CommandLine::CommandLine() : impl_(std::make_unique<Impl>()) {
  CLI::App& app = impl_->app;
  app.name("lodestone");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_version_flag("--version", version_text(), "print the version and stop");
  app.set_help_flag("-h,--help", "print this and stop");
  app.require_subcommand(1);
  app.footer(
      "lodestone COMMAND --help tells more. Settings: default < --config FILE < environment\n"
      "LODESTONE_TABLE__KEY=value < --set table.key=value < flag. Logs go to stderr, results to\n"
      "stdout. Exit codes: 0 ok, 1 run-time error, 2 usage or settings, 3 bad input data,\n"
      "4 out of memory or disk, 5 numerical failure, 6 communication failure, 75 stopped by a\n"
      "signal after saving, 128+n killed by signal n.");
}

CommandLine::~CommandLine() = default;

void CommandLine::add(Command command) {
  auto entry = std::make_unique<Impl::Entry>();
  entry->app = impl_->make_app(command.text);
  entry->fields = command.fields;
  for (const config::Field& field : config::fields_of(impl_->run_settings))
    entry->fields.push_back(field);
  entry->command = std::move(command);
  std::string footer = entry->command.text.description;
  std::string nested;
  for (const config::Field& field : entry->command.fields) {
    impl_->add_flag(*entry, field);
    if (field.path.find('.') != std::string::npos)
      nested += fmt::format("  {} [{}]\n      {}\n", field.path, shown_value(field), field.help);
  }
  impl_->add_common_flags(*entry);
  if (!nested.empty()) footer += "\n\nSettings for --set and --config:\n" + nested;
  entry->app->footer(footer);
  impl_->entries.push_back(std::move(entry));
}

int CommandLine::run(int argc, const char* const* argv) {
  const int code = exit_code_of([&] {
    if (const std::optional<int> ended = impl_->parse(argc, argv)) return *ended;
    for (const auto& entry : impl_->entries) {
      if (!entry->app->parsed() || !entry->app->get_subcommands().empty()) continue;
      impl_->resolve(*entry);
      return impl_->execute(*entry);
    }
    return report_failure(kExitUsage, "no command was given; see lodestone --help");
  });
  if (std::fflush(stdout) != 0 && code == 0)
    return report_failure(errno == ENOSPC ? kExitNoRoom : kExitRuntime,
                          "the result could not be written to stdout");
  return code;
}

}  // namespace lodestone::tools
