#include "tests/crash/power_cut.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/check.h"

namespace millrace::crash {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kPage = 4096;

struct stat Look(const fs::path& file) {
  struct stat found {};
  MR_CHECK(stat(file.c_str(), &found) == 0, "%s: %s", file.c_str(), strerror(errno));
  return found;
}

uint64_t Below(Random& random, uint64_t end) { return std::uniform_int_distribution<uint64_t>(0, end - 1)(random); }

std::string FolderOf(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

}  // namespace

PowerCut::PowerCut(fs::path folder, fs::path layer)
    : folder_(std::move(folder)), root_(folder_ / "root"), graveyard_(folder_ / "graveyard"), layer_(std::move(layer)) {
  MR_CHECK(fs::exists(layer_), "%s is not built", layer_.c_str());
  fs::remove_all(folder_);
  fs::create_directories(root_);
  fs::create_directories(graveyard_);
  const fs::path file = folder_ / "trace";
  const int fd = open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  MR_CHECK(fd >= 0 && ftruncate(fd, sizeof(Trace)) == 0, "cannot make %s: %s", file.c_str(), strerror(errno));
  void* at = mmap(nullptr, sizeof(Trace), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  MR_CHECK(at != MAP_FAILED, "cannot map %s: %s", file.c_str(), strerror(errno));
  close(fd);
  trace_ = static_cast<Trace*>(at);
}

PowerCut::~PowerCut() { munmap(trace_, sizeof(Trace)); }

void PowerCut::Arm(const Faults& faults, uint64_t seed) {
  EmptyGraveyard();
  const uint32_t used = std::min(trace_->events.load(), kEventsMax);
  memset(static_cast<void*>(trace_), 0, offsetof(Trace, event) + used * sizeof(Event));
  auto put = [](const std::string& text, char* field, size_t size) {
    MR_CHECK(text.size() < size, "'%s' is too long", text.c_str());
    memcpy(field, text.c_str(), text.size() + 1);
  };
  put(root_.string(), trace_->root, sizeof(trace_->root));
  put(graveyard_.string(), trace_->graveyard, sizeof(trace_->graveyard));
  put(faults.unsynced, trace_->unsynced, sizeof(trace_->unsynced));
  trace_->sync_micros_max = faults.sync_micros_max;
  trace_->seed = seed;
  trace_->kill_step = faults.kill_step;
  trace_->kill_moment = faults.kill_moment;
  trace_->kill_at = faults.kill_at;

  names_at_start_.clear();
  sizes_at_start_.clear();
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    const std::string name = entry.path().lexically_relative(root_).string();
    if (entry.is_directory()) {
      names_at_start_[name] = 0;
      continue;
    }
    const struct stat file = Look(entry.path());
    names_at_start_[name] = file.st_ino;
    sizes_at_start_[file.st_ino] = static_cast<uint64_t>(file.st_size);
  }
}

std::vector<std::string> PowerCut::Environment() const {
  // LD_PRELOAD ends a path at a space, so it names the file alone; where that is may have spaces.
  const std::string place = layer_.parent_path().string();
  MR_CHECK(place.find_first_of(":;$") == std::string::npos, "the loader finds no library in '%s'", place.c_str());
  return {"LD_PRELOAD=" + layer_.filename().string(), "LD_LIBRARY_PATH=" + place,
          std::string(kTraceVariable) + "=" + (folder_ / "trace").string()};
}

template <typename Each>
void PowerCut::ForEachEvent(Each&& each) const {
  const uint32_t taken = std::min(trace_->events.load(), kEventsMax);
  for (uint32_t i = 0; i < taken; ++i) {
    if (trace_->event[i].valid.load(std::memory_order_acquire) != 0) each(i, trace_->event[i]);
  }
}

int64_t PowerCut::LastSync(const std::string& ending) const {
  int64_t last = 0;
  ForEachEvent([&](uint32_t, const Event& event) {
    const std::string name = event.name;
    const bool is =
        name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
    if (event.kind == Event::Kind::kSync && is) last = std::max(last, event.began);
  });
  return last;
}

PowerCut::Names PowerCut::NamesLeft(Random& random, int* undone) const {
  // By folder: its changes in order, and how many of them are on the disk.
  std::map<std::string, std::vector<uint32_t>> changes;
  std::map<std::string, uint64_t> synced;
  ForEachEvent([&](uint32_t number, const Event& event) {
    if (event.kind == Event::Kind::kSync || event.kind == Event::Kind::kTruncate) return;
    if (event.kind == Event::Kind::kFolderSync) {
      synced[event.name] = std::max(synced[event.name], event.size);
    } else {
      changes[FolderOf(event.name)].push_back(number);
    }
  });
  std::vector<uint32_t> kept;
  for (const auto& [folder, numbers] : changes) {
    const auto open = std::lower_bound(numbers.begin(), numbers.end(), synced[folder]);
    const auto left = static_cast<uint64_t>(numbers.end() - open);
    const uint64_t chance = Below(random, 3);
    const uint64_t stay = chance == 0 ? 0 : chance == 1 ? left : Below(random, left + 1);
    kept.insert(kept.end(), numbers.begin(), open + static_cast<ptrdiff_t>(stay));
    *undone += static_cast<int>(left - stay);
  }
  std::sort(kept.begin(), kept.end());

  Names names = names_at_start_;
  for (uint32_t number : kept) {
    const Event& event = trace_->event[number];
    if (event.kind == Event::Kind::kUnlink) {
      names.erase(event.name);
    } else if (event.kind == Event::Kind::kRename) {
      auto from = names.extract(event.name);
      MR_CHECK(!from.empty(), "'%s' was renamed and is not known", event.name);
      names[event.to] = from.mapped();
    } else {
      names[event.name] = event.kind == Event::Kind::kMakeFolder ? 0 : event.inode;
    }
  }
  // A folder that never reached the disk takes along what is in it. Names are in order, so its own comes first.
  for (auto name = names.begin(); name != names.end();) {
    const std::string folder = FolderOf(name->first);
    name = folder.empty() || names.count(folder) != 0 ? std::next(name) : names.erase(name);
  }
  return names;
}

void PowerCut::CutFile(const fs::path& file, uint64_t durable, Tails tails, Random& random, CutReport* report) const {
  const uint64_t written = fs::file_size(file);
  if (written <= durable) return;
  // Half of them end where the last sync did.
  const uint64_t end = Below(random, 2) == 0 ? durable : durable + Below(random, written - durable + 1);
  if (end < written) {
    fs::resize_file(file, end);
    ++report->files_shortened;
    report->bytes_lost += written - end;
  }
  if (tails == Tails::kShort || end == durable) return;
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bool torn = false;
  for (uint64_t begin = durable; begin < end;) {
    const uint64_t next = std::min(end, begin / kPage * kPage + kPage);
    if (Below(random, 2) == 0) {
      std::string lost(next - begin, '\0');
      if (tails == Tails::kGarbage && Below(random, 2) == 0) {
        std::generate(lost.begin(), lost.end(), [&] { return static_cast<char>(random()); });
      }
      bytes.seekp(static_cast<std::streamoff>(begin));
      bytes.write(lost.data(), static_cast<std::streamsize>(lost.size()));
      report->bytes_lost += lost.size();
      torn = true;
    }
    begin = next;
  }
  bytes.flush();
  MR_CHECK(bytes.good(), "cannot write %s", file.c_str());
  report->files_torn += torn ? 1 : 0;
}

CutReport PowerCut::Cut(Tails tails, Random& random) {
  CutReport report;
  const Names names = NamesLeft(random, &report.names_undone);
  std::map<uint64_t, uint64_t> durable = sizes_at_start_;
  ForEachEvent([&](uint32_t, const Event& event) {
    if (event.kind == Event::Kind::kSync) durable[event.inode] = std::max(durable[event.inode], event.size);
    if (event.kind == Event::Kind::kTruncate) durable[event.inode] = std::min(durable[event.inode], event.size);
  });
  std::map<uint64_t, fs::path> at;
  for (const fs::path& where : {root_, graveyard_}) {
    for (const auto& entry : fs::recursive_directory_iterator(where)) {
      if (!entry.is_directory()) at[Look(entry.path()).st_ino] = entry.path();
    }
  }
  const fs::path made = folder_ / "cut";
  fs::create_directories(made);
  std::map<uint64_t, bool> done;
  for (const auto& [name, inode] : names) {
    if (inode == 0) {
      fs::create_directories(made / name);
      continue;
    }
    MR_CHECK(at.count(inode) != 0, "'%s' is gone, and the layer has not seen it go", name.c_str());
    fs::create_hard_link(at[inode], made / name);
    if (!std::exchange(done[inode], true)) CutFile(made / name, durable[inode], tails, random, &report);
  }
  fs::remove_all(root_);
  fs::rename(made, root_);
  EmptyGraveyard();
  return report;
}

void PowerCut::EmptyGraveyard() const {
  fs::remove_all(graveyard_);
  fs::create_directories(graveyard_);
}

}  // namespace millrace::crash
