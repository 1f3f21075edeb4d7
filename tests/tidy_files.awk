# Prints a compile_commands.json in which each source file stands for itself, also where CMake compiles several in one
# unit (MILLRACE_UNITY):
#
#   awk -f tidy_files.awk compile_commands.json

function print_entry(file) {
  print (written++ ? ",{" : "[\n{")
  print directory
  print "  \"command\": \"" flags " -o unit.o -c " file "\","
  print "  \"file\": \"" file "\""
  print "}"
}

/^ *"directory": / { directory = $0 }
/^ *"command": / {
  flags = $0
  sub(/^ *"command": "/, "", flags)
  sub(/ -o .*/, "", flags)
}
/^ *"file": / {
  file = $0
  sub(/^ *"file": "/, "", file)
  sub(/",?$/, "", file)
  if (file !~ /\/Unity\/unity_[0-9]+_cxx\.cxx$/) {
    print_entry(file)
  } else {
    while ((getline line < file) > 0) {
      if (line !~ /^#include "/) continue
      sub(/^#include "/, "", line)
      sub(/"$/, "", line)
      print_entry(line)
    }
    close(file)
  }
}
END { print "]" }
