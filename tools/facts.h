#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace lodestone::tools {

// A JSON object as text for people: one line a value, nested objects with dotted names, arrays of
// objects as tables below.
std::string facts_text(const nlohmann::ordered_json& facts);

}  // namespace lodestone::tools
