#include "tools/report/canvas.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/report/text.h"

namespace lodestone::tools {
namespace {

constexpr std::string_view kFont = "system-ui, -apple-system, Segoe UI, Roboto, Arial, sans-serif";

std::string_view name_of(Anchor anchor) {
  switch (anchor) {
    case Anchor::kStart:
      return "start";
    case Anchor::kMiddle:
      return "middle";
    case Anchor::kEnd:
      return "end";
  }
  return "start";
}

bool starts_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

}  // namespace

std::string pixels(double value) {
  const double rounded = std::round(value * 10) / 10;
  return fmt::format("{}", rounded == 0 ? 0.0 : rounded);
}

double text_width(std::string_view text, double size) {
  return 0.56 * size *
         static_cast<double>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string shortened(std::string_view text, std::size_t characters) {
  std::size_t seen = 0, cut = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!starts_character(text[i])) continue;
    if (++seen == characters) cut = i;
  }
  if (seen <= characters) return std::string(text);
  return std::string(text.substr(0, cut)) + "…";
}

Canvas::Canvas(double width, double height, std::string_view title)
    : width_(width), height_(height) {
  const std::string name = escape_markup(title);
  body_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" role=\"img\" aria-label=\"{2}\" font-family=\"{3}\">\n<title>{2}</title>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
      pixels(width), pixels(height), name, kFont);
  text(20, 28, title, {.size = 15, .colour = kInk, .bold = true});
}

void Canvas::text(double x, double y, std::string_view text, const TextStyle& style) {
  body_ += fmt::format(
      "<text x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"{}\" fill=\"{}\"{}>{}</text>\n",
      pixels(x), pixels(y), pixels(style.size), name_of(style.anchor), style.colour,
      style.bold ? " font-weight=\"600\"" : "", escape_markup(text));
}

void Canvas::upward_text(double x, double y, std::string_view text) {
  body_ += fmt::format(
      "<text transform=\"translate({} {}) rotate(-90)\" font-size=\"12\" text-anchor=\"middle\" "
      "fill=\"{}\">{}</text>\n",
      pixels(x), pixels(y), kSoftInk, escape_markup(text));
}

void Canvas::line(double x1, double y1, double x2, double y2, std::string_view colour) {
  body_ += fmt::format("<path d=\"M{} {}L{} {}\" stroke=\"{}\"/>\n", pixels(x1), pixels(y1),
                       pixels(x2), pixels(y2), colour);
}

void Canvas::dot(double x, double y, double radius, std::string_view colour) {
  body_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"/>\n", pixels(x), pixels(y),
                       pixels(radius), colour);
}

void Canvas::bar(double x, double y, double width, double height, std::string_view colour) {
  body_ +=
      fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"2\" fill=\"{}\"/>\n",
                  pixels(x), pixels(y), pixels(width), pixels(height), colour);
}

void Canvas::path(std::string_view data, std::string_view colour, double width, double opacity) {
  if (data.empty()) return;
  body_ += fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-opacity=\"{}\" "
      "stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n",
      data, colour, pixels(width), opacity);
}

void Canvas::axes(const Box& box, const AxisMap& x, const AxisMap& y, std::string_view x_label,
                  std::string_view y_label) {
  for (const Tick& tick : y.ticks()) {
    const double at = y.at(tick.value);
    line(box.left, at, box.right, at, kGrid);
    text(box.left - 8, at + 4, tick.label, {.anchor = Anchor::kEnd});
  }
  line(box.left, box.bottom, box.right, box.bottom, "#9aa2ad");
  for (const Tick& tick : x.ticks()) {
    const double at = x.at(tick.value);
    line(at, box.bottom, at, box.bottom + 5, "#9aa2ad");
    text(at, box.bottom + 19, tick.label, {.anchor = Anchor::kMiddle});
  }
  text((box.left + box.right) / 2, box.bottom + 38, x_label, {.anchor = Anchor::kMiddle});
  upward_text(20, (box.top + box.bottom) / 2, y_label);
}

void Canvas::note(std::string_view text_of_note) {
  text(20, height_ - 8, text_of_note, {.size = 11});
}

std::string Canvas::finish() {
  return std::move(body_) + "</svg>\n";
}

}  // namespace lodestone::tools
