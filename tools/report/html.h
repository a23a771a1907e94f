#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace lodestone::tools {

// One self-contained page: no scripts, nothing from the network. Text given is escaped; SVG is
// taken as it is.
class HtmlPage {
 public:
  HtmlPage(std::string_view title, std::string_view subtitle);

  struct KeyFigure {
    std::string label, value, remark;
  };
  void key_figures(const std::vector<KeyFigure>& figures);
  void section(std::string_view title);
  void subsection(std::string_view title);
  void paragraph(std::string_view text);
  void remark(std::string_view text);  // something the reader should not overlook
  struct Picture {
    std::string svg, caption;
  };
  void pictures(const std::vector<Picture>& pictures);  // side by side where there is room
  // The first column is left-aligned, the others, numbers, right-aligned.
  void table(const std::vector<std::string>& header,
             const std::vector<std::vector<std::string>>& rows);
  void listing(std::string_view summary, std::string_view text);  // folded until it is opened
  std::string finish();

 private:
  std::string body_;
};

}  // namespace lodestone::tools
