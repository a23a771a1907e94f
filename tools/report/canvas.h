#pragma once
#include <string>
#include <string_view>

#include "tools/report/axis.h"

namespace lodestone::tools {

inline constexpr std::string_view kInk = "#1b1f24", kSoftInk = "#5b6470", kGrid = "#e6e9ee";

enum class Anchor : std::uint8_t { kStart, kMiddle, kEnd };

struct TextStyle {
  double size = 12;
  Anchor anchor = Anchor::kStart;
  std::string_view colour = kSoftInk;
  bool bold = false;
};

struct Box {
  double left, top, right, bottom;
};

// An SVG document that grows. Coordinates are pixels, written with one decimal.
class Canvas {
 public:
  // The title is what screen readers say and what stands at the top left.
  Canvas(double width, double height, std::string_view title);
  void text(double x, double y, std::string_view text, const TextStyle& style);
  // Reads upwards, centred on y.
  void upward_text(double x, double y, std::string_view text);
  void line(double x1, double y1, double x2, double y2, std::string_view colour);
  void dot(double x, double y, double radius, std::string_view colour);
  void bar(double x, double y, double width, double height, std::string_view colour);
  void path(std::string_view data, std::string_view colour, double width, double opacity);
  // Grid lines and labels of both axes, and what they are called.
  void axes(const Box& box, const AxisMap& x, const AxisMap& y, std::string_view x_label,
            std::string_view y_label);
  void note(std::string_view text);  // small, at the bottom left
  std::string finish();

 private:
  double width_, height_;
  std::string body_;
};

// A guess at how wide text will be drawn, in pixels.
double text_width(std::string_view text, double size);
// At most `characters` of it, with an ellipsis.
std::string shortened(std::string_view text, std::size_t characters);
std::string pixels(double value);

}  // namespace lodestone::tools
