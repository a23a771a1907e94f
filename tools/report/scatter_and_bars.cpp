// Scatter and bar charts; see svg.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/core/check.h"
#include "tools/progress.h"
#include "tools/report/canvas.h"
#include "tools/report/svg.h"
#include "tools/report/text.h"

namespace lodestone::tools {
namespace {

constexpr std::size_t kMostDots = 20'000;
constexpr std::size_t kMostLegendRows = 20;
constexpr double kPlot = 440;  // a square: the axes of an embedding have the same unit
constexpr double kRow = 20;
// Points are drawn in rounds, each with a part of every category, so that none hides the others.
constexpr std::size_t kRounds = 8;

std::int32_t category_of(const ScatterChart& chart, std::size_t point) {
  return chart.categories.empty() ? -1 : chart.categories[point];
}

std::string colour_of(std::int32_t category) {
  return category < 0 ? "#a6adb8" : palette_colour(static_cast<std::size_t>(category));
}

std::string label_of(const ScatterChart& chart, std::int32_t category) {
  return category < 0 ? "" : chart.names[static_cast<std::size_t>(category)];
}

std::string csv_of(const ScatterChart& chart) {
  std::string text =
      fmt::format("{},{},category\n", csv_field(chart.x.label), csv_field(chart.y.label));
  for (std::size_t i = 0; i < chart.x_values.size(); ++i)
    text += fmt::format("{},{},{}\n", exact_text(chart.x_values[i]), exact_text(chart.y_values[i]),
                        csv_field(label_of(chart, category_of(chart, i))));
  return text;
}

void check_chart(const ScatterChart& chart) {
  check(chart.x_values.size() == chart.y_values.size() &&
            (chart.categories.empty() || chart.categories.size() == chart.x_values.size()),
        "scatter chart: {} x values, {} y values and {} categories do not fit",
        chart.x_values.size(), chart.y_values.size(), chart.categories.size());
  for (std::int32_t category : chart.categories)
    check(category >= -1 && category < static_cast<std::int32_t>(chart.names.size()),
          "scatter chart: category {} has no name, there are {}", category, chart.names.size());
}

// Categories that occur, the missing one last, with how many points each has.
std::vector<std::pair<std::int32_t, std::int64_t>> occurring(const ScatterChart& chart) {
  std::vector<std::int64_t> counts(chart.names.size() + 1);
  for (std::int32_t category : chart.categories)
    ++counts[category < 0 ? chart.names.size() : static_cast<std::size_t>(category)];
  std::vector<std::pair<std::int32_t, std::int64_t>> result;
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] > 0)
      result.emplace_back(i == chart.names.size() ? -1 : static_cast<std::int32_t>(i), counts[i]);
  return result;
}

void side_legend(Canvas& canvas, const ScatterChart& chart, const Box& box) {
  const auto entries = occurring(chart);
  double y = box.top + 10;
  const std::size_t shown = entries.size() > kMostLegendRows ? kMostLegendRows - 1 : entries.size();
  for (std::size_t i = 0; i < shown; ++i, y += kRow) {
    const auto [category, count] = entries[i];
    const std::string name = category < 0 ? "(no label)" : label_of(chart, category);
    canvas.dot(box.right + 26, y - 4, 5, colour_of(category));
    canvas.text(box.right + 38, y, shortened(name, 26), {.colour = kInk});
    canvas.text(kPlot + 84 + 290, y, grouped(count), {.size = 11, .anchor = Anchor::kEnd});
  }
  if (shown < entries.size())
    canvas.text(box.right + 38, y, fmt::format("and {} more", entries.size() - shown), {});
}

std::vector<std::size_t> drawn_points(const ScatterChart& chart) {
  std::vector<std::size_t> points;
  for (std::size_t i = 0; i < chart.x_values.size(); ++i)
    if (drawable(chart.x.scale, chart.x_values[i]) && drawable(chart.y.scale, chart.y_values[i]))
      points.push_back(i);
  return points;
}

void dots(Canvas& canvas, const ScatterChart& chart, const std::vector<std::size_t>& points,
          const AxisMap& x, const AxisMap& y) {
  const double size = points.size() > 4000 ? 3 : points.size() > 800 ? 4 : 6;
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::vector<std::string> paths(chart.names.size() + 1);
    for (std::size_t i = round; i < points.size(); i += kRounds) {
      const std::size_t point = points[i];
      paths[static_cast<std::size_t>(category_of(chart, point) + std::int64_t{1})] += fmt::format(
          "M{} {}h0", pixels(x.at(chart.x_values[point])), pixels(y.at(chart.y_values[point])));
    }
    for (std::size_t c = 0; c < paths.size(); ++c)
      canvas.path(paths[c], colour_of(static_cast<std::int32_t>(c) - 1), size, 0.7);
  }
}

std::string csv_of(const BarChart& chart) {
  std::string text = fmt::format("name,{}\n", csv_field(chart.value_label));
  for (const Bar& bar : chart.bars)
    text += fmt::format("{},{}\n", csv_field(bar.name), exact_text(bar.value));
  return text;
}

double widest_name(const BarChart& chart) {
  double widest = 40;
  for (const Bar& bar : chart.bars)
    widest = std::max(widest, text_width(shortened(bar.name, 36), 13));
  return widest;
}

void draw_bars(Canvas& canvas, const BarChart& chart, const Box& box, const AxisMap& x) {
  const double height = (box.bottom - box.top) / static_cast<double>(chart.bars.size());
  const double zero = x.at(0);
  for (std::size_t i = 0; i < chart.bars.size(); ++i) {
    const Bar& bar = chart.bars[i];
    const double middle = box.top + (static_cast<double>(i) + 0.5) * height;
    canvas.text(box.left - 10, middle + 4, shortened(bar.name, 36),
                {.size = 13, .anchor = Anchor::kEnd, .colour = kInk, .bold = bar.emphasised});
    double end = zero;
    if (std::isfinite(bar.value)) {
      end = x.at(bar.value);
      canvas.bar(std::min(zero, end), middle - 9, std::abs(end - zero), 18,
                 bar.emphasised ? palette_colour(0) : "#b9c2d0");
    }
    canvas.text(std::max(zero, end) + 6, middle + 4, number_text(bar.value), {.colour = kInk});
  }
  canvas.line(zero, box.top, zero, box.bottom, "#9aa2ad");
}

}  // namespace

Figure draw(const ScatterChart& chart) {
  check_chart(chart);
  std::vector<std::size_t> points = drawn_points(chart);
  Figure figure{"", csv_of(chart),
                static_cast<std::int64_t>(chart.x_values.size() - points.size())};
  Range x_range, y_range;
  for (std::size_t point : points) {
    x_range.include(chart.x_values[point]);
    y_range.include(chart.y_values[point]);
  }
  std::string note;
  if (points.size() > kMostDots) {
    const std::size_t all = points.size();
    for (std::size_t i = 0; i < kMostDots; ++i) points[i] = points[i * all / kMostDots];
    points.resize(kMostDots);
    note = fmt::format("{} of {} points are drawn. ", grouped(static_cast<std::int64_t>(kMostDots)),
                       grouped(static_cast<std::int64_t>(all)));
  }
  const Box box{84, 48, 84 + kPlot, 48 + kPlot};
  Canvas canvas(84 + kPlot + 314, 48 + kPlot + 68, chart.title);
  const AxisMap x(chart.x.scale, x_range, box.left, box.right, true);
  const AxisMap y(chart.y.scale, y_range, box.bottom, box.top, true);
  canvas.axes(box, x, y, chart.x.label, chart.y.label);
  dots(canvas, chart, points, x, y);
  side_legend(canvas, chart, box);
  if (points.empty())
    canvas.text(box.left + kPlot / 2, box.top + kPlot / 2, "no data",
                {.size = 14, .anchor = Anchor::kMiddle});
  if (figure.not_drawn > 0)
    note += fmt::format("{} point{} not drawn: not finite, or not above 0 on a logarithmic axis.",
                        grouped(figure.not_drawn), figure.not_drawn == 1 ? " is" : "s are");
  canvas.note(note);
  figure.svg = canvas.finish();
  return figure;
}

Figure draw(const BarChart& chart) {
  Figure figure{"", csv_of(chart), 0};
  Range range;
  range.include(0);
  for (const Bar& bar : chart.bars) {
    if (std::isfinite(bar.value))
      range.include(bar.value);
    else
      ++figure.not_drawn;
  }
  const double left = 34 + widest_name(chart), width = std::max(left + 300.0, 760.0);
  const Box box{left, 48, width - 84, 56 + 30 * static_cast<double>(chart.bars.size())};
  Canvas canvas(width, box.bottom + 58, chart.title);
  const AxisMap x(Scale::kLinear, range, box.left, box.right, true);
  for (const Tick& tick : x.ticks()) {
    canvas.line(x.at(tick.value), box.top, x.at(tick.value), box.bottom, kGrid);
    canvas.text(x.at(tick.value), box.bottom + 17, tick.label, {.anchor = Anchor::kMiddle});
  }
  canvas.text((box.left + box.right) / 2, box.bottom + 36, chart.value_label,
              {.anchor = Anchor::kMiddle});
  draw_bars(canvas, chart, box, x);
  if (figure.not_drawn > 0)
    canvas.note(fmt::format("{} value{} not finite.", figure.not_drawn,
                            figure.not_drawn == 1 ? " is" : "s are"));
  figure.svg = canvas.finish();
  return figure;
}

}  // namespace lodestone::tools
