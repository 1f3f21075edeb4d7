// What is different between two configurations, and what of one nobody may read.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace millrace::config {

// What would change if `next` came after `now`, a line for each setting: "[pool.images] workers = 4 becomes 8",
// "[kind.thumbs] is new". Secrets are not shown.
std::vector<std::string> Differences(const Config& now, const Config& next);

// Replaces secrets by a word that says so.
void HideSecrets(Config* config);

}  // namespace millrace::config
