#pragma once
// Figures as SVG text: self-contained, the same bytes for the same data. Points that cannot be
// drawn (not finite, or not above 0 on a log axis) are left out, and the figure says how many.
#include <cstdint>
#include <string>
#include <vector>

#include "tools/report/axis.h"

namespace lodestone::tools {

struct Figure {
  std::string svg;
  std::string csv;             // every point, with a header
  std::int64_t not_drawn = 0;  // points left out
};

struct Axis {
  std::string label;
  Scale scale = Scale::kLinear;
};

enum class Stroke : std::uint8_t {
  kPlain,
  kFaint,   // behind everything, without an entry in the legend: the raw data of a smoothed line
  kMarked,  // with a dot at each point
};

struct Line {
  std::string name;
  std::vector<double> x, y;
  Stroke stroke = Stroke::kPlain;
  std::size_t colour = 0;  // place in the palette
};

struct LineChart {
  std::string title;
  Axis x, y;
  std::vector<Line> lines;  // y gaps (not finite) interrupt a line
};
Figure draw(const LineChart& chart);

// Points coloured by category. Many points are thinned evenly, and the figure says so.
struct ScatterChart {
  std::string title;
  Axis x, y;
  std::vector<double> x_values, y_values;
  std::vector<std::int32_t> categories;  // [points], -1 = none; empty: all alike
  std::vector<std::string> names;
};
Figure draw(const ScatterChart& chart);

struct Bar {
  std::string name;
  double value = 0;
  bool emphasised = false;
};

// Horizontal bars from 0, in the order given.
struct BarChart {
  std::string title, value_label;
  std::vector<Bar> bars;
};
Figure draw(const BarChart& chart);

// "#rrggbb": ten distinct colours, then darker and lighter ones of the same hues.
std::string palette_colour(std::size_t place);

}  // namespace lodestone::tools
