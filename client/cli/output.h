// Prints to stdout and remembers whether all of it arrived: a full disk or a closed pipe makes a command fail, whatever
// it printed. After a failed write a later one, or fflush, may succeed; so the first failure is kept.
//
//   Terminal  Text from jobs and from the daemon may hold sequences that move the cursor of a terminal or turn the
//             direction of text. In tables, details and errors they are always replaced (Printable); in results and
//             logs, which are printed as they are, only where stdout is a terminal.
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

// Writes what is still in the buffer of the process: when somebody watches, or before something goes to stderr.
void FlushOutput();

// True once something could not be written. A command that prints without end stops then.
bool OutputFailed();

// To be called at the end of a command. False: not all of it arrived; a line on stderr says so.
bool FinishOutput();

// The text without control characters, line ends and tabs included, without the marks that turn the direction of text,
// and without bytes that are not UTF-8: each becomes '?'.
std::string Printable(std::string_view text);
// The same, but line ends and tabs stay.
std::string PrintableLines(std::string_view text);

}  // namespace millrace::cli
