// "did you mean": the known word that is nearest to what somebody wrote, for every message that suggests one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace {

// Empty where nothing is near. Near is: at most a third of the letters wrong, and one wrong letter in any case. Two
// neighbours that changed places count as one mistake. A known word that begins with `wrong` is near too.
std::string Nearest(std::string_view wrong, const std::vector<std::string>& known);

}  // namespace millrace
