#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lodestone::tools {

struct ResultTable {
  std::string title;
  std::vector<std::string> header;
  std::vector<std::vector<nlohmann::ordered_json>> rows;  // scalars; null where a row has none
};

// The tables in a result of any command: an object of objects of scalars is a table by name; an
// array of objects is one with a row for each, or for each of the objects inside it; scalars are a
// table of their own; whatever lies deeper gets a title of its own. Arrays of scalars are dropped
// when they hold more than 12.
std::vector<ResultTable> result_tables(const std::string& title,
                                       const nlohmann::ordered_json& result);

std::string cell_text(const nlohmann::ordered_json& scalar);

}  // namespace lodestone::tools
