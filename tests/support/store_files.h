// The files of a store as they are, to see what changed.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace millrace::test {

inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void WriteFile(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// With this extension. By name: the numbers in them are of one length.
inline std::filesystem::path NewestFile(const std::string& folder, const std::string& extension) {
  std::filesystem::path newest;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == extension && file.path() > newest) newest = file.path();
  }
  return newest;
}

// Every file below the folder: its bytes and when they were last written.
inline std::map<std::string, std::pair<std::string, std::filesystem::file_time_type>> FilesOf(
    const std::string& folder) {
  std::map<std::string, std::pair<std::string, std::filesystem::file_time_type>> files;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    auto& [bytes, time] = files[file.path().string()];
    if (file.is_regular_file()) bytes = ReadFile(file.path());
    time = file.last_write_time();
  }
  return files;
}

}  // namespace millrace::test
