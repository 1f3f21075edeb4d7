// A folder that is there for one test.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "base/check.h"

namespace millrace::test {

class TempFolder {
 public:
  TempFolder() : path_((std::filesystem::temp_directory_path() / "millrace-test-XXXXXX").string()) {
    MR_CHECK(mkdtemp(path_.data()) != nullptr, "cannot make %s", path_.c_str());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace millrace::test
