// What goes to stdout, and whether all of it arrived there: a full disk or a closed pipe makes a command fail, whatever it printed
// and however much of it. After a write that failed a later one, or fflush, may succeed; so the first failure is kept.
//
//   Terminal  What jobs and the daemon say may hold sequences that move a terminal's cursor, or turn the direction of text. Tables,
//             details and errors have them replaced always (Printable); bytes that are asked for as they are, only on a terminal.
//   Threads   Any.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace millrace::cli {

void Print(std::string_view text);
void PrintLine(std::string_view line);

// A result or a log: as it is, unless `stream` (stdout or stderr) is a terminal.
void PrintBytes(std::string_view bytes, std::FILE* stream = stdout);

// Sends on what is still in the process: where somebody watches, or before something is said on stderr.
void FlushOutput();

// True once something could not be written; whoever prints without end stops then.
bool OutputFailed();

// At the end of a command. False: not all of it arrived, which this has told on stderr.
bool FinishOutput();

// The text without control characters, line ends and tabs included, without the marks that turn the direction of text, and without
// bytes that are not UTF-8: each becomes '?'.
std::string Printable(std::string_view text);
// The same, but for line ends and tabs.
std::string PrintableLines(std::string_view text);

}  // namespace millrace::cli
