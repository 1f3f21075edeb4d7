# Puts files of a folder that are compiled with the same flags together into units, so that clang-tidy reads the headers
# they share once:
#
#   awk -v root=CHECKOUT -v into=FOLDER -v most=8 -f tidy_units.awk FILES compile_commands.json
#
# FILES has a path a line, relative to root. Writes FOLDER/unit_N.cc, which includes its files, unit_N_1.cc and
# unit_N_2.cc, which include half of them each, and FOLDER/compile_commands.json; prints `unit_N FILE...` for each.
# Files that define the same name for themselves would not compile together and do not meet.

# The name that a line defines for its file alone, or "": a macro, main, or, in an unnamed namespace, where nothing is
# indented, a function, a class, a variable or an alias.
function defined(line) {
  if (line ~ /^namespace \{/) unnamed = 1
  if (line ~ /^}  \/\/ namespace$/) unnamed = 0
  if (!unnamed && line !~ /^(#define|static|int main|using .* =)/) return ""
  if (line !~ /^[A-Za-z_#]/) return ""
  if (line ~ /^(namespace|template|extern|return|[A-Z_]+\(|using [A-Za-z_0-9: ]+;)/) return ""
  if (line ~ /^#(include|if|el|end|pragma|undef)/) return ""
  sub(/^#define +/, "", line)
  sub(/[({=;:\[].*$/, "", line)
  sub(/ +$/, "", line)
  sub(/^.*[ *&]/, "", line)
  return line ~ /^[A-Za-z_]/ ? line : ""
}

function put(file, command,   flags, folder, line, name, unit, i, n, own, list) {
  flags = command
  sub(/ -o .*/, "", flags)
  folder = file
  sub(/[^\/]*$/, "", folder)
  n = unnamed = 0
  while ((getline line < (root "/" file)) > 0) {
    name = defined(line)
    if (name != "" && !(name in own)) {
      own[name] = 1
      list[++n] = name
    }
  }
  close(root "/" file)
  for (unit = 1; unit <= units; ++unit) {
    if (flags_of[unit] != flags || folder_of[unit] != folder || count[unit] >= most) continue
    for (i = 1; i <= n; ++i) if ((unit, list[i]) in taken) break
    if (i > n) break
  }
  if (unit > units) {
    units = unit
    flags_of[unit] = flags
    folder_of[unit] = folder
  }
  ++count[unit]
  members[unit] = members[unit] " " file
  for (i = 1; i <= n; ++i) taken[unit, list[i]] = 1
}

NR == FNR {
  wanted[root "/" $0] = $0
  next
}
/^ *"directory": / { directory = $0 }
/^ *"command": / {
  command = $0
  sub(/^ *"command": "/, "", command)
}
/^ *"file": / {
  file = $0
  sub(/^ *"file": "/, "", file)
  sub(/",?$/, "", file)
  if (file in wanted) put(wanted[file], command)
}

# A source that includes file_of[first] to file_of[last].
function write_source(name, flags, first, last,   source, i) {
  source = into "/" name ".cc"
  printf "" >source
  for (i = first; i <= last; ++i) print "#include \"" root "/" file_of[i] "\"" >source
  close(source)
  print (written++ ? ",{" : "{") "\n" directory "\n  \"command\": \"" flags " -o unit.o -c " source "\"," >commands
  print "  \"file\": \"" source "\"\n}" >commands
}

END {
  commands = into "/compile_commands.json"
  print "[" >commands
  for (unit = 1; unit <= units; ++unit) {
    name = "unit_" unit
    print name members[unit]
    n = split(members[unit], file_of, " ")
    half = int(n / 2)
    write_source(name, flags_of[unit], 1, n)
    write_source(name "_1", flags_of[unit], 1, half)
    write_source(name "_2", flags_of[unit], half + 1, n)
  }
  print "]" >commands
}
