// CheckpointLines: what a program writes to its checkpoint descriptor (exec.h), taken apart into checkpoints.
//
//   CheckpointLines lines;
//   if (std::optional<std::string> newest = lines.Add(bytes)) attempt.SaveCheckpoint(*std::move(newest));
//
//   Whole      A line without its line feed is not whole yet, so it is never given out: whatever becomes of the program
//              or of the daemon, nothing that was cut off is saved.
//   Newest     Of the lines that come together only the last one is given out, so that a program which saves in a tight
//              loop costs one change of its job for each read of its pipe.
//   Memory     The line that has not ended, kCheckpointBytesMax of it at most. What is longer is dropped as it comes.
//   Threads    One at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace::runners {

class CheckpointLines {
 public:
  // The newest checkpoint that these bytes make whole; nullopt: none. Empty: the program wants none any more.
  std::optional<std::string> Add(std::string_view bytes);
  // No more bytes will come.
  void End();

  // Why something was not saved, for the program's author; "": there is nothing to tell. Call it until then. Each
  // reason is told once, so that a program cannot fill its log with it.
  std::string_view TakeComplaint();

 private:
  void Append(std::string_view bytes);
  // Can it be a checkpoint?
  bool Fits(std::string_view line);
  void Tell(unsigned reason) { to_tell_ |= 1U << reason & ~told_; }

  std::string line_;                 // The beginning of a line that has not ended.
  bool too_long_ = false;            // That line is longer than a checkpoint may be; `line_` is empty.
  unsigned to_tell_ = 0, told_ = 0;  // Reasons, a bit for each.
};

}  // namespace millrace::runners
