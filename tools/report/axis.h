#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace lodestone::tools {

enum class Scale : std::uint8_t { kLinear, kLog };

// Values seen; empty until one was included.
struct Range {
  double low = 0, high = 0;
  bool empty = true;
  void include(double value);
};

struct Tick {
  double value;
  std::string label;
};

// Values to pixels along one axis.
class AxisMap {
 public:
  // `first` and `last` are the pixels of the low and the high end. A range without extent is
  // widened; with `round_out` it grows to whole ticks.
  AxisMap(Scale scale, Range range, double first, double last, bool round_out);
  double at(double value) const;
  const std::vector<Tick>& ticks() const { return ticks_; }  // ascending, inside the range
  double low() const { return low_; }
  double high() const { return high_; }

 private:
  void place_linear(bool round_out);
  void place_log(bool round_out);
  Scale scale_;
  double low_, high_, first_, last_;
  std::vector<Tick> ticks_;
};

// Finite, and above 0 on a log axis.
bool drawable(Scale scale, double value);

}  // namespace lodestone::tools
