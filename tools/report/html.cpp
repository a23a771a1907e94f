#include "tools/report/html.h"

#include <fmt/format.h>

#include "tools/report/text.h"

namespace lodestone::tools {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light; --ink: #1b1f24; --soft: #5b6470; --line: #e1e5eb; --accent: #4269d0; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6f9; color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 0 28px 64px; }
header { padding: 40px 0 22px; }
h1 { margin: 0; font-size: 28px; line-height: 1.2; letter-spacing: -0.01em; }
header p { margin: 6px 0 0; color: var(--soft); }
h2 { margin: 44px 0 14px; font-size: 20px; padding-top: 18px; border-top: 1px solid var(--line); }
h3 { margin: 26px 0 10px; font-size: 16px; }
p { max-width: 78ch; margin: 8px 0 14px; }
.remark { background: #fff7e6; border-left: 4px solid #e2a214; padding: 9px 14px; }
.figures { display: grid; gap: 18px; grid-template-columns: repeat(auto-fill, minmax(min(480px, 100%), 1fr)); }
.card, figure { background: #fff; border: 1px solid var(--line); border-radius: 10px; margin: 0; }
figure { padding: 8px 8px 12px; min-width: 0; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { padding: 4px 12px 0; color: var(--soft); font-size: 13px; }
dl.key { display: grid; gap: 14px; margin: 0;
  grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); }
dl.key .card { padding: 14px 18px; }
dl.key dt { color: var(--soft); font-size: 13px; }
dl.key dd { margin: 2px 0 0; font-size: 24px; font-weight: 600; font-variant-numeric: tabular-nums; }
dl.key dd.remark-of { font-size: 12.5px; font-weight: 400; color: var(--soft); }
.scroll { overflow-x: auto; background: #fff; border: 1px solid var(--line); border-radius: 10px;
  width: fit-content; max-width: 100%; margin: 10px 0 18px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { padding: 7px 16px; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { color: var(--soft); font-weight: 600; border-bottom: 1px solid var(--line); }
tbody tr + tr td { border-top: 1px solid #f0f2f5; }
details { margin: 14px 0; }
summary { cursor: pointer; color: var(--accent); }
pre { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px;
  overflow-x: auto; font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
@media print { body { background: #fff; } figure, .card { break-inside: avoid; } }
)";

std::string cells(const std::vector<std::string>& row, std::string_view tag) {
  std::string text = "<tr>";
  for (const std::string& cell : row)
    text += fmt::format("<{0}>{1}</{0}>", tag, escape_markup(cell));
  return text + "</tr>\n";
}

}  // namespace

HtmlPage::HtmlPage(std::string_view title, std::string_view subtitle) {
  const std::string name = escape_markup(title);
  body_ = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n"
      "<header><h1>{}</h1><p>{}</p></header>\n",
      name, kStyle, name, escape_markup(subtitle));
}

void HtmlPage::key_figures(const std::vector<KeyFigure>& figures) {
  if (figures.empty()) return;
  body_ += "<dl class=\"key\">\n";
  for (const KeyFigure& figure : figures)
    body_ += fmt::format(
        "<div class=\"card\"><dt>{}</dt><dd>{}</dd><dd class=\"remark-of\">{}</dd></div>\n",
        escape_markup(figure.label), escape_markup(figure.value), escape_markup(figure.remark));
  body_ += "</dl>\n";
}

void HtmlPage::section(std::string_view title) {
  body_ += fmt::format("<h2>{}</h2>\n", escape_markup(title));
}

void HtmlPage::subsection(std::string_view title) {
  body_ += fmt::format("<h3>{}</h3>\n", escape_markup(title));
}

void HtmlPage::paragraph(std::string_view text) {
  body_ += fmt::format("<p>{}</p>\n", escape_markup(text));
}

void HtmlPage::remark(std::string_view text) {
  body_ += fmt::format("<p class=\"remark\">{}</p>\n", escape_markup(text));
}

void HtmlPage::pictures(const std::vector<Picture>& pictures) {
  if (pictures.empty()) return;
  body_ += "<div class=\"figures\">\n";
  for (const Picture& picture : pictures)
    body_ += fmt::format("<figure>\n{}<figcaption>{}</figcaption></figure>\n", picture.svg,
                         escape_markup(picture.caption));
  body_ += "</div>\n";
}

void HtmlPage::table(const std::vector<std::string>& header,
                     const std::vector<std::vector<std::string>>& rows) {
  body_ += fmt::format("<div class=\"scroll\"><table>\n<thead>{}</thead>\n<tbody>\n",
                       cells(header, "th"));
  for (const auto& row : rows) body_ += cells(row, "td");
  body_ += "</tbody>\n</table></div>\n";
}

void HtmlPage::listing(std::string_view summary, std::string_view text) {
  body_ += fmt::format("<details><summary>{}</summary><pre>{}</pre></details>\n",
                       escape_markup(summary), escape_markup(text));
}

std::string HtmlPage::finish() {
  return std::move(body_) + "</main>\n</body>\n</html>\n";
}

}  // namespace lodestone::tools
