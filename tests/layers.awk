# Prints one line for each include that is out of place in the tree it is run in, and fails if there is any. Its input
# are the source files; what builds on what is read from the millrace_library lines of CMakeLists.txt. Run by
# layers_test.sh.

BEGIN {
  # Library, the first characters of its headers, the folders that may reach them. daemon is server/*.{h,cc}; store is
  # server/store and what lies below it, store/rocks only that.
  library("gRPC and Protobuf", "grpcpp/ grpc/ google/protobuf/ google/rpc/ millrace/v1/",
          "rpc client cli admin examples")
  library("Asio", "asio.hpp asio/", "io")
  library("Boost", "boost/", "runtime")
  library("elfutils", "elfutils/", "runtime")
  library("Valgrind", "valgrind/", "runtime")
  library("prometheus-cpp", "prometheus/", "metrics")
  library("libmicrohttpd", "microhttpd.h", "web")
  library("zlib", "zlib.h", "web")
  library("toml++", "toml.hpp toml++/", "config")
  library("CLI11", "CLI/", "config cli")
  library("OpenSSL", "openssl/", "runners access")
  library("RocksDB", "rocksdb/", "store/rocks")
  library("xxHash", "xxhash.h", "job dispatch store")
  library("spdlog", "spdlog/ fmt/", "base")

  # What a folder keeps behind a door: its headers, and the one file outside that includes them.
  door_of["store/rocks"] = "server/store/store.cc"

  while ((getline line < "CMakeLists.txt") > 0)
    if (line ~ /^ *millrace_library\([a-z]/) {
      gsub(/[()]/, " ", line)
      n = split(line, word, " ")
      folders[word[2]] = 1
      for (i = 3; i <= n; i++)
        if (sub(/^millrace_/, "", word[i]) && word[i] != "proto") builds_on[word[2], word[i]] = 1
    }
  for (middle in folders)
    for (upper in folders)
      for (lower in folders)
        if (((upper, middle) in builds_on) && ((middle, lower) in builds_on)) builds_on[upper, lower] = 1
  for (folder in folders) builds_on["daemon", folder] = 1
  builds_on["client", "base"] = builds_on["cli", "base"] = builds_on["cli", "client"] = 1
  # client/admin reads a store as the daemon does, and says what it finds as the daemon would.
  for (i = split("base job store rpc client cli", word, " "); i > 0; i--) builds_on["admin", word[i]] = 1
  builds_on["examples", "base"] = builds_on["examples", "client"] = 1
}

function library(name, prefixes, where) {
  libraries[++library_count] = name
  prefixes_of[name] = prefixes
  where_of[name] = " " where " "
}

# The library a header belongs to, or nothing.
function library_of(header,    i, j, n, prefix) {
  for (i = 1; i <= library_count; i++) {
    n = split(prefixes_of[libraries[i]], prefix, " ")
    for (j = 1; j <= n; j++)
      if (index(header, prefix[j]) == 1) return libraries[i]
  }
  return ""
}

function folder_of(file,    part) {
  split(file, part, "/")
  if (part[1] == "client") return part[3] != "" ? part[2] : "client"
  return part[3] != "" ? part[2] : "daemon"
}

# "store/rocks" for server/store/rocks/x.cc: the folder inside another one.
function inner_folder_of(file,    part) {
  split(file, part, "/")
  return part[1] == "server" && part[4] != "" ? part[2] "/" part[3] : folder_of(file)
}

function may_reach(source, library_name) {
  return index(where_of[library_name], " " folder_of(source) " ") ||
         index(where_of[library_name], " " inner_folder_of(source) " ")
}

function complain(text) {
  print text
  bad = 1
}

# Visits every header of ours that `file` reaches and judges each library header on behalf of the source file `source`.
function visit(source, file, trail,    i, name, library_name) {
  if ((source, file) in visited) return
  visited[source, file] = 1
  for (i = 1; i <= include_count[file]; i++) {
    name = include_of[file, i]
    library_name = library_of(name)
    if (library_name != "" && !may_reach(source, library_name))
      complain(source (source == file ? ":" line_of[file, i] : "") ": reaches <" name ">" trail "; " library_name \
                 " belongs in" where_of[library_name] "only")
    else if (("server/" name) in seen) visit(source, "server/" name, " through " name)
    else if (name in seen) visit(source, name, " through " name)
  }
}

FNR == 1 { seen[FILENAME] = 1; files[++file_count] = FILENAME }
/^[ \t]*#[ \t]*include[ \t]*["<]/ {
  name = $0
  sub(/^[^"<]*["<]/, "", name)
  sub(/[">].*$/, "", name)
  i = ++include_count[FILENAME]
  include_of[FILENAME, i] = name
  line_of[FILENAME, i] = FNR

  from = folder_of(FILENAME)
  to = ""
  if (name ~ /^client\//) to = folder_of(name)
  else if (split(name, part, "/") >= 2 && part[1] in folders) to = part[1]
  if (to != "" && to != from && !((from, to) in builds_on))
    complain(FILENAME ":" FNR ": includes \"" name "\", but " from " does not build on " to)
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
  for (inner in door_of)
    if (index(name, inner "/") == 1 && inner_folder_of(FILENAME) != inner && FILENAME != door_of[inner])
      complain(FILENAME ":" FNR ": includes \"" name "\", but only " door_of[inner] " and " inner " do")
}

END {
  if (file_count == 0) complain("no source files found")
  for (f = 1; f <= file_count; f++) visit(files[f], files[f], "")
  exit bad
}
