#include "tools/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/core/check.h"
#include "tools/progress.h"
#include "tools/report/canvas.h"
#include "tools/report/text.h"

namespace lodestone::tools {
namespace {

constexpr double kWidth = 760, kHeight = 420;

std::string not_drawn_note(std::int64_t count) {
  if (count == 0) return "";
  return fmt::format("{} point{} not drawn: not finite, or not above 0 on a logarithmic axis.",
                     grouped(count), count == 1 ? " is" : "s are");
}

struct Pixel {
  double x, y;
  bool drawn;
};

// At most four points for each column of pixels (first, lowest, highest, last), which draw the
// same line.
std::vector<Pixel> thinned(const std::vector<Pixel>& points) {
  std::vector<Pixel> result;
  for (std::size_t begin = 0; begin < points.size();) {
    std::size_t end = begin, low = begin, high = begin;
    for (; end < points.size() && points[end].drawn == points[begin].drawn &&
           std::floor(points[end].x) == std::floor(points[begin].x);
         ++end) {
      if (points[end].y < points[low].y) low = end;
      if (points[end].y > points[high].y) high = end;
    }
    std::array<std::size_t, 4> kept{begin, low, high, end - 1};
    std::sort(kept.begin(), kept.end());
    const auto last = std::unique(kept.begin(), kept.end());
    for (auto place = kept.begin(); place != last; ++place) result.push_back(points[*place]);
    begin = end;
  }
  return result;
}

std::vector<Pixel> place(const Line& line, const LineChart& chart, const AxisMap& x,
                         const AxisMap& y, std::int64_t& not_drawn) {
  std::vector<Pixel> points;
  for (std::size_t i = 0; i < line.x.size(); ++i) {
    if (drawable(chart.x.scale, line.x[i]) && drawable(chart.y.scale, line.y[i])) {
      points.push_back({x.at(line.x[i]), y.at(line.y[i]), true});
      continue;
    }
    ++not_drawn;
    points.push_back({points.empty() ? 0 : points.back().x, 0, false});
  }
  return thinned(points);
}

// A lone point becomes a line of no length, which round caps show as a dot.
std::string path_data(const std::vector<Pixel>& points) {
  std::string data;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!points[i].drawn) continue;
    const bool starts = i == 0 || !points[i - 1].drawn;
    const bool ends = i + 1 == points.size() || !points[i + 1].drawn;
    data += fmt::format("{}{} {}", starts ? 'M' : 'L', pixels(points[i].x), pixels(points[i].y));
    if (starts && ends) data += "h0";
  }
  return data;
}

void draw_line(Canvas& canvas, const Line& line, const std::vector<Pixel>& points) {
  const std::string colour = palette_colour(line.colour);
  const bool faint = line.stroke == Stroke::kFaint;
  canvas.path(path_data(points), colour, faint ? 1 : 2, faint ? 0.35 : 1);
  if (line.stroke != Stroke::kMarked) return;
  for (const Pixel& point : points)
    if (point.drawn) canvas.dot(point.x, point.y, 3, colour);
}

// Names in one row under the title.
void top_legend(Canvas& canvas, const std::vector<Line>& lines) {
  double x = 20;
  for (const Line& line : lines) {
    if (line.stroke == Stroke::kFaint || line.name.empty()) continue;
    const std::string colour = palette_colour(line.colour);
    canvas.bar(x, 44, 14, 4, colour);
    const std::string name = shortened(line.name, 40);
    canvas.text(x + 20, 50, name, {.colour = kInk});
    x += 20 + text_width(name, 12) + 22;
  }
}

std::string csv_of(const LineChart& chart) {
  std::string text =
      fmt::format("series,{},{}\n", csv_field(chart.x.label), csv_field(chart.y.label));
  for (const Line& line : chart.lines)
    for (std::size_t i = 0; i < line.x.size(); ++i)
      text += fmt::format("{},{},{}\n", csv_field(line.name), exact_text(line.x[i]),
                          exact_text(line.y[i]));
  return text;
}

}  // namespace

std::string palette_colour(std::size_t place) {
  static constexpr std::array<std::array<int, 3>, 10> kHues{{{66, 105, 208},
                                                             {239, 127, 24},
                                                             {60, 169, 81},
                                                             {225, 70, 85},
                                                             {164, 99, 242},
                                                             {26, 168, 190},
                                                             {226, 178, 20},
                                                             {240, 110, 175},
                                                             {156, 107, 78},
                                                             {120, 128, 140}}};
  const auto& hue = kHues[place % kHues.size()];
  const std::size_t round = (place / kHues.size()) % 3;
  const double share = round == 0 ? 1 : 0.55;
  const double other = round == 2 ? 255 : 0;
  const auto mix = [&](int part) {
    return static_cast<int>(std::lround(share * part + (1 - share) * other));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(hue[0]), mix(hue[1]), mix(hue[2]));
}

Figure draw(const LineChart& chart) {
  Range x_range, y_range;
  for (const Line& line : chart.lines) {
    check(line.x.size() == line.y.size(), "line chart: {} has {} x and {} y values", line.name,
          line.x.size(), line.y.size());
    for (std::size_t i = 0; i < line.x.size(); ++i) {
      if (!drawable(chart.x.scale, line.x[i]) || !drawable(chart.y.scale, line.y[i])) continue;
      x_range.include(line.x[i]);
      y_range.include(line.y[i]);
    }
  }
  const Box box{84, 66, kWidth - 24, kHeight - 64};
  const AxisMap x(chart.x.scale, x_range, box.left, box.right, false);
  const AxisMap y(chart.y.scale, y_range, box.bottom, box.top, true);
  Canvas canvas(kWidth, kHeight, chart.title);
  Figure figure{"", csv_of(chart), 0};
  top_legend(canvas, chart.lines);
  canvas.axes(box, x, y, chart.x.label, chart.y.label);
  for (const bool faint : {true, false})
    for (const Line& line : chart.lines)
      if ((line.stroke == Stroke::kFaint) == faint)
        draw_line(canvas, line, place(line, chart, x, y, figure.not_drawn));
  if (y_range.empty)
    canvas.text((box.left + box.right) / 2, (box.top + box.bottom) / 2, "no data",
                {.size = 14, .anchor = Anchor::kMiddle});
  canvas.note(not_drawn_note(figure.not_drawn));
  figure.svg = canvas.finish();
  return figure;
}

}  // namespace lodestone::tools
