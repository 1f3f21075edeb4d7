// The table of methods: what must be known of an rpc before anything of a call is looked at. It has a row for each rpc
// of each of our services, in the order of Method; tests/rpc/method_test.cc compares it with the protos. Reflection,
// which is a service of gRPC itself, is not in it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "access/role.h"

namespace millrace::rpc {

enum class Method : uint8_t {
  kSubmitJob,
  kBatchSubmitJobs,
  kStreamSubmit,
  kGetJob,
  kListJobs,
  kWaitJob,
  kReadResult,
  kWatchJobs,
  kCancelJob,
  kRetryJob,
  kDeleteJob,
  kCancelJobs,
  kRetryJobs,
  kDeleteJobs,
  kListPools,
  kGetPool,
  kResizePool,
  kPausePool,
  kResumePool,
  kDrainPool,
  kWork,
  kSync,
  kReadPayload,
  kWriteResult,
  kListWorkers,
  kGetWorker,
  kDrainWorker,
  kResumeWorker,
  kBackup,
  kCheckHealth,
  kWatchHealth,
};

// The role that a method asks its caller for. Where there is no Door (door.h), everybody may do everything.
using Role = access::Role;

struct MethodInfo {
  Method method;
  const char* name;  // "JobService/SubmitJob": in metrics, and for people.
  Role role;
  // It changes nothing, so it may be refused when all is done and there is no room for its answer.
  bool only_reads;
  // The trailers of an answer say how durable it is. Not those about pools and workers, of which the journal keeps
  // nothing, and not those with a payload, which was there before.
  bool names_durability;
  bool lasts = false;   // As long as its client likes: such calls share a part of the budget (rpc_call.h).
  bool counted = true;  // In CallStats.
};

// clang-format off
inline constexpr auto kMethodTable = std::to_array<MethodInfo>({
    // method                  name                           role            only_reads names_durability lasts  counted
    {Method::kSubmitJob,       "JobService/SubmitJob",        Role::kSubmit,  false,     true},
    {Method::kBatchSubmitJobs, "JobService/BatchSubmitJobs",  Role::kSubmit,  false,     true},
    {Method::kStreamSubmit,    "JobService/StreamSubmit",     Role::kSubmit,  false,     true,            true},
    {Method::kGetJob,          "JobService/GetJob",           Role::kView,    true,      true},
    {Method::kListJobs,        "JobService/ListJobs",         Role::kView,    true,      true},
    {Method::kWaitJob,         "JobService/WaitJob",          Role::kView,    true,      true,            true},
    {Method::kReadResult,      "JobService/ReadResult",       Role::kView,    true,      true,            true},
    {Method::kWatchJobs,       "JobService/WatchJobs",        Role::kView,    true,      true,            true},
    {Method::kCancelJob,       "JobService/CancelJob",        Role::kSubmit,  false,     true},
    {Method::kRetryJob,        "JobService/RetryJob",         Role::kSubmit,  false,     true},
    {Method::kDeleteJob,       "JobService/DeleteJob",        Role::kSubmit,  false,     true},
    {Method::kCancelJobs,      "JobService/CancelJobs",       Role::kSubmit,  false,     true},
    {Method::kRetryJobs,       "JobService/RetryJobs",        Role::kSubmit,  false,     true},
    {Method::kDeleteJobs,      "JobService/DeleteJobs",       Role::kSubmit,  false,     true},
    {Method::kListPools,       "PoolService/ListPools",       Role::kView,    true,      false},
    {Method::kGetPool,         "PoolService/GetPool",         Role::kView,    true,      false},
    {Method::kResizePool,      "PoolService/ResizePool",      Role::kOperate, false,     false},
    {Method::kPausePool,       "PoolService/PausePool",       Role::kOperate, false,     false},
    {Method::kResumePool,      "PoolService/ResumePool",      Role::kOperate, false,     false},
    {Method::kDrainPool,       "PoolService/DrainPool",       Role::kOperate, false,     false,           true},
    {Method::kWork,            "WorkerService/Work",          Role::kWork,    false,     true,            true},
    {Method::kSync,            "WorkerService/Sync",          Role::kWork,    false,     true,            true},
    {Method::kReadPayload,     "WorkerService/ReadPayload",   Role::kWork,    false,     false,           true},
    {Method::kWriteResult,     "WorkerService/WriteResult",   Role::kWork,    false,     true,            true},
    {Method::kListWorkers,     "WorkerService/ListWorkers",   Role::kView,    true,      false},
    {Method::kGetWorker,       "WorkerService/GetWorker",     Role::kView,    true,      false},
    {Method::kDrainWorker,     "WorkerService/DrainWorker",   Role::kOperate, false,     false},
    {Method::kResumeWorker,    "WorkerService/ResumeWorker",  Role::kOperate, false,     false},
    {Method::kBackup,          "AdminService/Backup",         Role::kAdmin,   false,     true,            true},
    {Method::kCheckHealth,     "Health/Check",                Role::kNone,    true,      false,           false, false},
    {Method::kWatchHealth,     "Health/Watch",                Role::kNone,    true,      false,           true,  false},
});
// clang-format on

inline constexpr size_t kMethods = kMethodTable.size();

constexpr const MethodInfo& InfoOf(Method method) { return kMethodTable[static_cast<size_t>(method)]; }

static_assert(
    [] {
      for (size_t i = 0; i < kMethods; ++i) {
        if (static_cast<size_t>(kMethodTable[i].method) != i) return false;
      }
      return true;
    }(),
    "the rows stand in the order of Method");

}  // namespace millrace::rpc
