#include "train/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <string_view>

#include "engine/core/host_name.h"
#include "engine/core/log.h"
#include "engine/io/files.h"

namespace lodestone {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "events.out.tfevents.";

double now() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since_1970).count();
}

void cut_torn_tail(const fs::path& file) {
  const std::string bytes = read_text(file);
  const std::size_t whole = whole_records(bytes);
  if (whole == bytes.size()) return;
  log::info("{}: the last {} bytes are no whole record and are cut off", file.string(),
            bytes.size() - whole);
  fs::resize_file(file, whole);
}

// The second in the name of an event file.
std::int64_t second_of(const std::string& name) {
  std::int64_t second = 0;
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), second);
  return second;
}

}  // namespace

TensorBoardLog::TensorBoardLog(const fs::path& folder, std::int64_t step) {
  make_folder(folder);
  remove_staged(folder);
  // Readers take the files in the order of their names.
  auto second = static_cast<std::int64_t>(now());
  bool first = true;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    cut_torn_tail(entry.path());
    second = std::max(second, second_of(name) + 1);
    first = false;
  }
  file_ = std::make_unique<AppendFile>(
      folder / fmt::format("{}{:010d}.{}.{}.0", kPrefix, second, host_name(), ::getpid()));
  file_->append(version_record(now()));
  if (!first) file_->append(restart_record(now(), step + 1));
}

void TensorBoardLog::append(std::int64_t step, std::span<const Scalar> scalars) {
  file_->append(scalars_record(now(), step, scalars));
}

void TensorBoardLog::write(const StepReport& report) {
  const auto scalar = [](const char* tag, double value) {
    return Scalar{tag, static_cast<float>(value)};
  };
  const std::array scalars{
      scalar("train/loss", report.loss),
      scalar("train/id_loss", report.id_loss),
      scalar("train/value_loss", report.value_loss),
      scalar("train/learning_rate", report.learning_rate),
      scalar("train/gradient_norm", report.gradient_norm),
      scalar("speed/tokens_per_s", static_cast<double>(report.batch_tokens) / report.seconds),
      scalar("speed/cells_per_s", static_cast<double>(report.batch_cells) / report.seconds),
      scalar("speed/data_wait_ms", report.wait_seconds * 1e3)};
  append(report.step, scalars);
}

void TensorBoardLog::write(const ValidationReport& report, std::int64_t step) {
  const std::array scalars{Scalar{"validation/loss", static_cast<float>(report.loss)},
                           Scalar{"validation/id_loss", static_cast<float>(report.id_loss)},
                           Scalar{"validation/value_loss", static_cast<float>(report.value_loss)}};
  append(step, scalars);
}

}  // namespace lodestone
