#include "tools/report/svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <set>

#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"
#include "tools/report/text.h"

namespace lodestone::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Python's parser accepts it. Without an interpreter, nothing is said.
void expect_well_formed(const std::vector<std::string>& documents) {
  const char* given = std::getenv("LODESTONE_PYTHON");
  const std::string python = given && *given ? given : "/usr/bin/python3";
  if (std::system((python + " -c pass 2>/dev/null").c_str()) != 0) GTEST_SKIP() << "no " << python;
  const lodestone::testing::TemporaryFolder folder;
  std::string command = python +
                        " -c 'import sys, xml.etree.ElementTree as t; [t.parse(f) for f in "
                        "sys.argv[1:]]'";
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const auto file = folder / (std::to_string(i) + ".svg");
    std::ofstream(file) << documents[i];
    command += " " + file.string();
  }
  EXPECT_EQ(std::system(command.c_str()), 0);
}

LineChart hostile_chart() {
  LineChart chart{"<loss> & \"more\" 'quoted' \x01 \xFF", {"step"}, {"a<b"}, {}};
  chart.lines.push_back({"x > y & z", {1, 2, 3, 4}, {1, kNan, 3, INFINITY}, Stroke::kMarked, 0});
  return chart;
}

TEST(Svg, IsWellFormedWhateverTheText) {
  ScatterChart scatter{"<&>", {"x"}, {"y"}, {0, 1, kNan}, {0, 1, 2}, {0, -1, 0}, {"<T & B>"}};
  const BarChart bars{"a & b", "<value>", {{"<first>", 1, true}, {"\xC3\x28", kNan, false}}};
  expect_well_formed({draw(hostile_chart()).svg, draw(scatter).svg, draw(bars).svg,
                      draw(LineChart{}).svg, draw(ScatterChart{}).svg, draw(BarChart{}).svg});
}

TEST(Svg, EscapesText) {
  EXPECT_EQ(escape_markup("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escape_markup("gr\xC3\xB6\xC3\x9F"), "gr\xC3\xB6\xC3\x9F");
  EXPECT_EQ(escape_markup("\x02\xFFz\xC3"), "\xEF\xBF\xBD\xEF\xBF\xBDz\xEF\xBF\xBD");
  EXPECT_EQ(escape_markup("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // surrogate
}

TEST(Svg, SkipsWhatCannotBeDrawnAndSaysSo) {
  const Figure figure = draw(hostile_chart());
  EXPECT_EQ(figure.not_drawn, 2);
  EXPECT_THAT(figure.svg, HasSubstr("2 points are not drawn"));
  EXPECT_THAT(figure.svg, Not(HasSubstr("nan")));
  EXPECT_THAT(figure.svg, Not(HasSubstr("inf")));
  LineChart chart{"", {""}, {"", Scale::kLog}, {}};
  chart.lines.push_back({"a", {1, 2, 3}, {0, -1, 10}, Stroke::kPlain, 0});
  EXPECT_EQ(draw(chart).not_drawn, 2);
  EXPECT_THAT(figure.csv, HasSubstr("x > y & z,2,\n"));  // an empty field, not a number
}

TEST(Svg, InterruptsALineAtAGap) {
  LineChart chart{"", {""}, {""}, {}};
  chart.lines.push_back(
      {"", {1, 2, 3, 4, 5, 6, 7}, {1, 2, kNan, 3, kNan, 2, 1}, Stroke::kPlain, 0});
  const std::string svg = draw(chart).svg;
  const std::size_t line = svg.rfind("<path d=\"", svg.find("fill=\"none\""));
  const std::string data = svg.substr(line, svg.find("fill=", line) - line);
  EXPECT_EQ(std::count(data.begin(), data.end(), 'M'), 3);
  EXPECT_THAT(data, HasSubstr("h0"));  // the lone point in the middle
}

TEST(Svg, DrawsOnePointAndNone) {
  LineChart chart{"", {""}, {""}, {}};
  EXPECT_THAT(draw(chart).svg, HasSubstr("no data"));
  chart.lines.push_back({"", {5}, {7}, Stroke::kPlain, 0});
  const std::string svg = draw(chart).svg;
  EXPECT_THAT(svg, Not(HasSubstr("no data")));
  EXPECT_THAT(svg, HasSubstr("h0"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(draw(ScatterChart{}).svg, HasSubstr("no data"));
}

TEST(Svg, IsTheSameForTheSameData) {
  EXPECT_EQ(draw(hostile_chart()).svg, draw(hostile_chart()).svg);
}

TEST(Svg, StaysSmallForManyPoints) {
  LineChart chart{"", {""}, {""}, {{"", {}, {}, Stroke::kPlain, 0}}};
  ScatterChart scatter;
  for (int i = 0; i < 200000; ++i) {
    chart.lines[0].x.push_back(i);
    chart.lines[0].y.push_back(std::sin(i));
    scatter.x_values.push_back(std::sin(i));
    scatter.y_values.push_back(std::cos(i));
  }
  EXPECT_LT(draw(chart).svg.size(), 60'000u);
  const std::string svg = draw(scatter).svg;
  EXPECT_LT(svg.size(), 500'000u);
  EXPECT_THAT(svg, HasSubstr("20,000 of 200,000 points are drawn"));
}

TEST(Svg, RefusesDataThatDoesNotFit) {
  LineChart chart{"", {""}, {""}, {{"a", {1, 2}, {1}, Stroke::kPlain, 0}}};
  lodestone::testing::expect_error(ErrorKind::kInvalidArgument, "2 x and 1 y values",
                                   [&] { draw(chart); });
  ScatterChart scatter{"", {""}, {""}, {1}, {1}, {3}, {"a"}};
  lodestone::testing::expect_error(ErrorKind::kInvalidArgument, "category 3",
                                   [&] { draw(scatter); });
}

std::vector<std::string> labels(Scale scale, double low, double high) {
  std::vector<std::string> result;
  const AxisMap map(scale, {low, high, false}, 0, 100, true);
  for (const Tick& tick : map.ticks()) result.push_back(tick.label);
  return result;
}

TEST(Axis, PlacesTicksAtNiceNumbers) {
  using Labels = std::vector<std::string>;
  EXPECT_EQ(labels(Scale::kLinear, 0, 10), (Labels{"0", "2", "4", "6", "8", "10"}));
  EXPECT_EQ(labels(Scale::kLinear, -0.3, 0.62),
            (Labels{"-0.4", "-0.2", "0.0", "0.2", "0.4", "0.6", "0.8"}));
  EXPECT_EQ(labels(Scale::kLinear, 1000, 5000),
            (Labels{"1,000", "2,000", "3,000", "4,000", "5,000"}));
  EXPECT_EQ(labels(Scale::kLog, 0.5, 3e4),
            (Labels{"0.1", "1", "10", "100", "1,000", "10,000", "100,000"}));
  EXPECT_EQ(labels(Scale::kLog, 3, 40), (Labels{"2", "5", "10", "20", "50"}));
}

TEST(Axis, MapsEndsToPixels) {
  const AxisMap linear(Scale::kLinear, {0, 10, false}, 100, 300, false);
  EXPECT_DOUBLE_EQ(linear.at(0), 100);
  EXPECT_DOUBLE_EQ(linear.at(5), 200);
  const AxisMap log(Scale::kLog, {1, 100, false}, 0, 50, false);
  EXPECT_NEAR(log.at(10), 25, 1e-9);
}

TEST(Palette, HasThirtyDistinctColours) {
  std::set<std::string> colours;
  for (std::size_t i = 0; i < 30; ++i) colours.insert(palette_colour(i));
  EXPECT_EQ(colours.size(), 30u);
}

TEST(Text, IsForPeople) {
  EXPECT_EQ(number_text(0.012345), "0.01235");
  EXPECT_EQ(number_text(12345), "12,345");
  EXPECT_EQ(number_text(1.25e6), "1.25M");
  EXPECT_EQ(number_text(kNan), "n/a");
  EXPECT_EQ(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
}

}  // namespace
}  // namespace lodestone::tools
