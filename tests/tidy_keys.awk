# What a file's verdict depends on: itself and every file of ours that it includes, directly or not.
#
#   awk -v base=TEXT -v into=FOLDER -f tidy_keys.awk HASHES FILES
#
# HASHES is what sha256sum printed for all files of ours, FILES has a path a line. Writes into/N for the N-th of these:
# base, and the hashes and names of its files. Whoever hashes that has a key.

# Reads once which of our files `file` includes; a generated header stands for its .proto.
function includes_of(file,   line, name, list) {
  if (file in included) return included[file]
  while ((getline line < file) > 0) {
    if (line !~ /^[ \t]*#[ \t]*include[ \t]*"/) continue
    sub(/^[^"]*"/, "", line)
    sub(/".*/, "", line)
    name = line
    if (("server/" name) in hash) list = list " server/" name
    if (name in hash) list = list " " name
    sub(/(\.grpc)?\.pb\.h$/, ".proto", name)
    if (name != line && ("proto/" name) in hash) list = list " proto/" name
  }
  close(file)
  return included[file] = list
}

NR == FNR {
  hash[$2] = $1
  next
}

{
  print base >(into "/" FNR)
  split("", known)
  queue[1] = $1
  known[$1] = 1
  waiting = 1
  for (at = 1; at <= waiting; ++at) {
    print hash[queue[at]], queue[at] >(into "/" FNR)
    n = split(includes_of(queue[at]), found, " ")
    for (i = 1; i <= n; ++i) {
      if (found[i] in known) continue
      known[found[i]] = 1
      queue[++waiting] = found[i]
    }
  }
  close(into "/" FNR)
}
