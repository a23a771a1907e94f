#pragma once
#include <string>
#include <string_view>

namespace lodestone::tools {

// Text for SVG and HTML: & < > " ' escaped; what XML does not allow (control characters, bytes that
// are no UTF-8) becomes U+FFFD.
std::string escape_markup(std::string_view text);

// A field of a comma-separated file, quoted when it must be.
std::string csv_field(std::string_view text);

// For people, up to four digits after the first that differs: 0.0123, 12,345, 1.25M, 3e-07. What is
// not finite is "n/a".
std::string number_text(double value);

// For programs: the shortest text that reads back as the same number; empty when not finite.
std::string exact_text(double value);

}  // namespace lodestone::tools
