// Every metric Millrace exports: name, labels and meaning. The help text here is what a scrape shows.
//
//   Names    millrace_ first, the unit last (seconds, bytes, jobs, ...), counters end in _total.
//   Labels   Only what is bounded by the configuration: pools, kinds, bands, states, methods. Never an id, a key or a
//            client's text. A pool tells kOwnKindsMax kinds apart (dispatch/kind_counts.h); the others are together
//            kind="other".
//   Series   All exist from the first scrape on, at zero while nothing has happened. The series of a kind are in the
//            pool that the configuration gives it; in another pool they begin with its first job there.
//   Alerts   While there is nothing to measure (no job waits), a gauge is 0, and 0 must then be right: so an age is
//            exported and never a point in time.
//   Sources  Counters live where the counted thing lives (dispatch/pool_status.h, runtime/stats.h, rpc/call_stats.h); a
//            scrape reads them.
#pragma once

#include <cstdint>

namespace millrace::metrics {

enum class Type : uint8_t { kCounter, kGauge, kHistogram };

struct Metric {
  const char* name;
  Type type;
  const char* labels;  // Comma-separated; "" for none.
  const char* help;
};

using enum Type;

// ---- Pools: {pool}
inline constexpr Metric kPoolQueueJobs{"millrace_pool_queue_jobs", kGauge, "pool,band",
                                       "Jobs waiting in the pool's channel."};
inline constexpr Metric kPoolQueueBytes{"millrace_pool_queue_bytes", kGauge, "pool",
                                        "Payload bytes of the waiting jobs."};
inline constexpr Metric kPoolCapacityJobs{"millrace_pool_capacity_jobs", kGauge, "pool",
                                          "Jobs that the channel holds; 0 is a rendezvous."};
inline constexpr Metric kPoolCapacityBytes{"millrace_pool_capacity_bytes", kGauge, "pool",
                                           "Payload bytes that the channel holds."};
inline constexpr Metric kPoolScheduledJobs{"millrace_pool_scheduled_jobs", kGauge, "pool",
                                           "Jobs of the pool whose time has not come (delay, retry)."};
inline constexpr Metric kPoolWaitingSubmits{"millrace_pool_waiting_submits", kGauge, "pool",
                                            "Submits that wait for room in the channel."};
inline constexpr Metric kPoolWorkers{"millrace_pool_workers", kGauge, "pool", "Workers the pool is set to."};
inline constexpr Metric kPoolWorkersBusy{"millrace_pool_workers_busy", kGauge, "pool", "Workers that run a job."};
inline constexpr Metric kPoolState{"millrace_pool_state", kGauge, "pool,state",
                                   "1 for the state the pool is in, else 0."};
inline constexpr Metric kOldestQueuedAge{"millrace_pool_oldest_queued_age_seconds", kGauge, "pool",
                                         "How long the oldest waiting job has waited; 0 while none waits."};

// ---- Efficiency: {pool}. speedup = useful / window, efficiency = speedup / workers (dispatch/efficiency.h).
inline constexpr Metric kPoolSpeedup{"millrace_pool_speedup", kGauge, "pool",
                                     "Useful worker time per unit of time, over the last minute."};
inline constexpr Metric kPoolEfficiency{
    "millrace_pool_efficiency_ratio", kGauge, "pool",
    "Speedup per worker, over the last minute; 1 is every worker useful all the time."};
inline constexpr Metric kPoolUtilization{
    "millrace_pool_utilization_ratio", kGauge, "pool",
    "Part of the workers' time spent on jobs, usefully or not, over the last minute."};
inline constexpr Metric kPoolUsefulSeconds{"millrace_pool_useful_seconds_total", kCounter, "pool",
                                           "Worker time on a processor or waiting for I/O, timers and children."};
inline constexpr Metric kPoolLostSeconds{
    "millrace_pool_lost_seconds_total", kCounter, "pool,reason",
    "Worker time waiting for a processor (runnable) or for another fiber (blocked)."};

// ---- Jobs
inline constexpr Metric kJobsSubmitted{"millrace_jobs_submitted_total", kCounter, "pool,result",
                                       "Submits, by how they ended."};
inline constexpr Metric kJobsUnroutable{"millrace_jobs_unroutable_total", kCounter, "",
                                        "Submits refused because they name no known pool or kind."};
inline constexpr Metric kJobsFinished{"millrace_jobs_finished_total", kCounter, "pool,kind,outcome",
                                      "Jobs that reached their end."};
inline constexpr Metric kJobAttempts{"millrace_job_attempts_total", kCounter, "pool,kind,result",
                                     "Attempts to run a job, by result."};
inline constexpr Metric kStartsRefused{
    "millrace_job_starts_refused_total", kCounter, "pool",
    "Attempts that could not be started for want of a process, a descriptor or memory; their jobs wait and try again."};
inline constexpr Metric kJobWait{"millrace_job_wait_seconds", kHistogram, "pool", "From queued to running."};
inline constexpr Metric kJobRun{"millrace_job_run_seconds", kHistogram, "pool,kind", "Duration of an attempt."};
inline constexpr Metric kJobs{"millrace_jobs", kGauge, "state", "Jobs that are remembered, by state."};
inline constexpr Metric kRemoteWorkers{"millrace_remote_workers", kGauge, "",
                                       "Workers in other processes that are connected."};
inline constexpr Metric kLateResults{"millrace_remote_late_results_total", kCounter, "",
                                     "Ends of attempts that workers told after they had lost them; refused."};
inline constexpr Metric kDeadLetterJobs{"millrace_dead_letter_jobs", kGauge, "",
                                        "Failed, expired and quarantined jobs that are kept."};
inline constexpr Metric kJobsTrimmed{"millrace_jobs_trimmed_total", kCounter, "retention",
                                     "Ended jobs forgotten to keep within their limits of age, number and bytes."};
inline constexpr Metric kMissingPoolJobs{
    "millrace_missing_pool_jobs", kGauge, "",
    "Unfinished jobs of pools that are not configured any more: nobody runs them."};
inline constexpr Metric kPayloadBytes{
    "millrace_payload_bytes", kGauge, "",
    "What unfinished jobs of all pools hold in memory: 1 KiB for each with payload, labels, ids, texts and log on "
    "top of it, or 288 bytes, id and key for one that waits on the disk."};
inline constexpr Metric kPayloadCapacityBytes{"millrace_payload_capacity_bytes", kGauge, "",
                                              "What millrace_payload_bytes may grow to."};
inline constexpr Metric kRequestIds{
    "millrace_request_ids", kGauge, "",
    "Request ids that are remembered: those of all jobs, and of forgotten ones for a day more."};
inline constexpr Metric kRequestIdsDropped{
    "millrace_request_ids_dropped_total", kCounter, "",
    "Request ids of forgotten jobs that were forgotten before their day was over, for want of room."};
inline constexpr Metric kWaitingBytes{"millrace_waiting_submit_bytes", kGauge, "",
                                      "What submits hold that wait for room."};
inline constexpr Metric kDraining{"millrace_draining", kGauge, "", "1 while the daemon ends and refuses new jobs."};
inline constexpr Metric kStoreInfo{"millrace_store_info", kGauge, "durability",
                                   "1; what an acknowledgement is worth: none, interval or fsync."};
inline constexpr Metric kStoreCommit{"millrace_store_commit_seconds", kHistogram, "",
                                     "Writing one batch of changes; with durability fsync, the fsync included."};
inline constexpr Metric kStoreFsync{"millrace_store_fsync_seconds", kHistogram, "",
                                    "The fsync of a batch, or of an interval."};
inline constexpr Metric kStoreBatch{"millrace_store_commit_batch_jobs", kHistogram, "",
                                    "Changes of jobs that were written as one batch."};
inline constexpr Metric kStoreErrors{
    "millrace_store_errors_total", kCounter, "op",
    "Failures of the disk at opening the store, writing a batch, an fsync, reading, or in the background."};
inline constexpr Metric kStoreFailing{"millrace_store_failing", kGauge, "",
                                      "1 while the disk fails and new jobs are refused."};

// ---- Scheduler of fibers
inline constexpr Metric kSwitches{
    "millrace_scheduler_context_switches_total", kCounter, "kind",
    "Fibers that left their processor: by themselves, preempted, or handed off in a blocking call."};
inline constexpr Metric kSwitchSeconds{
    "millrace_scheduler_switch_seconds_total", kCounter, "",
    "Time spent between two fibers, without looking for work; estimated from every 64th."};
inline constexpr Metric kSteals{"millrace_scheduler_steals_total", kCounter, "",
                                "Successful raids on another processor's queue."};
inline constexpr Metric kStolenFibers{"millrace_scheduler_stolen_fibers_total", kCounter, "",
                                      "Fibers taken in those raids."};
inline constexpr Metric kProcs{"millrace_scheduler_procs", kGauge, "", "Fibers that can run at the same time."};
inline constexpr Metric kIdleProcs{"millrace_scheduler_idle_procs", kGauge, "", "Processors without work."};
inline constexpr Metric kMachines{"millrace_scheduler_machines", kGauge, "state", "Threads of the scheduler."};
inline constexpr Metric kMachineWakeups{"millrace_scheduler_machine_wakeups_total", kCounter, "",
                                        "Sleeping threads woken for new work."};
inline constexpr Metric kFibers{"millrace_scheduler_fibers", kGauge, "state", "Fibers started and not ended."};
inline constexpr Metric kFibersStarted{"millrace_scheduler_fibers_started_total", kCounter, "", "Fibers ever started."};
inline constexpr Metric kRunQueueFibers{"millrace_scheduler_run_queue_fibers", kGauge, "",
                                        "Fibers ready and waiting to run."};
inline constexpr Metric kSchedulerWait{"millrace_scheduler_wait_seconds", kHistogram, "",
                                       "From ready to running, of fibers."};
inline constexpr Metric kTimersFired{"millrace_scheduler_timers_fired_total", kCounter, "", "Timers that fired."};

// ---- gRPC
inline constexpr Metric kGrpcRequests{"millrace_grpc_requests_total", kCounter, "method,code",
                                      "Calls answered; a stream counts once, when it ends."};
inline constexpr Metric kGrpcSeconds{"millrace_grpc_request_seconds", kHistogram, "method",
                                     "From a call's arrival to its answer; for streams, how long they were open."};

inline constexpr Metric kGrpcConnections{"millrace_grpc_connections", kGauge, "", "Connections that are open."};
inline constexpr Metric kGrpcConnectionsAccepted{"millrace_grpc_connections_accepted_total", kCounter, "",
                                                 "Connections accepted."};
inline constexpr Metric kGrpcConnectionsRefused{"millrace_grpc_connections_refused_total", kCounter, "",
                                                "Connections closed at once, for the limit of connections."};
inline constexpr Metric kGrpcAcceptShortages{
    "millrace_grpc_accept_shortages_total", kCounter, "",
    "Times that connections had to wait since the process or the system had no descriptors or memory for them."};
inline constexpr Metric kGrpcCallBytes{"millrace_grpc_call_bytes", kGauge, "",
                                       "What requests in hand and answers that no client has taken yet hold."};
inline constexpr Metric kGrpcCallBytesMax{"millrace_grpc_call_bytes_max", kGauge, "",
                                          "What they may hold; calls beyond it are refused."};

// ---- The process, under the names that every Prometheus client uses
inline constexpr Metric kBuildInfo{"millrace_build_info", kGauge, "version,compiler", "1; which build this is."};
inline constexpr Metric kProcessCpu{"process_cpu_seconds_total", kCounter, "", "User and system CPU time spent."};
inline constexpr Metric kProcessResident{"process_resident_memory_bytes", kGauge, "", "Resident memory."};
inline constexpr Metric kProcessVirtual{"process_virtual_memory_bytes", kGauge, "", "Address space in use."};
inline constexpr Metric kProcessOpenFds{"process_open_fds", kGauge, "", "Open file descriptors."};
inline constexpr Metric kProcessMaxFds{"process_max_fds", kGauge, "", "Limit of open file descriptors."};
inline constexpr Metric kProcessStart{"process_start_time_seconds", kGauge, "",
                                      "When the process started, since the epoch."};

inline constexpr const Metric* kAll[] = {&kPoolQueueJobs,
                                         &kPoolQueueBytes,
                                         &kPoolCapacityJobs,
                                         &kPoolCapacityBytes,
                                         &kPoolScheduledJobs,
                                         &kPoolWaitingSubmits,
                                         &kPoolWorkers,
                                         &kPoolWorkersBusy,
                                         &kPoolState,
                                         &kOldestQueuedAge,
                                         &kPoolSpeedup,
                                         &kPoolEfficiency,
                                         &kPoolUtilization,
                                         &kPoolUsefulSeconds,
                                         &kPoolLostSeconds,
                                         &kJobsSubmitted,
                                         &kJobsUnroutable,
                                         &kJobsFinished,
                                         &kJobAttempts,
                                         &kStartsRefused,
                                         &kJobWait,
                                         &kJobRun,
                                         &kJobs,
                                         &kRemoteWorkers,
                                         &kLateResults,
                                         &kDeadLetterJobs,
                                         &kJobsTrimmed,
                                         &kPayloadBytes,
                                         &kPayloadCapacityBytes,
                                         &kRequestIds,
                                         &kRequestIdsDropped,
                                         &kWaitingBytes,
                                         &kMissingPoolJobs,
                                         &kDraining,
                                         &kStoreInfo,
                                         &kStoreCommit,
                                         &kStoreFsync,
                                         &kStoreBatch,
                                         &kStoreErrors,
                                         &kStoreFailing,
                                         &kSwitches,
                                         &kSwitchSeconds,
                                         &kSteals,
                                         &kStolenFibers,
                                         &kProcs,
                                         &kIdleProcs,
                                         &kMachines,
                                         &kMachineWakeups,
                                         &kFibers,
                                         &kFibersStarted,
                                         &kRunQueueFibers,
                                         &kSchedulerWait,
                                         &kTimersFired,
                                         &kGrpcRequests,
                                         &kGrpcSeconds,
                                         &kGrpcConnections,
                                         &kGrpcConnectionsAccepted,
                                         &kGrpcConnectionsRefused,
                                         &kGrpcAcceptShortages,
                                         &kGrpcCallBytes,
                                         &kGrpcCallBytesMax,
                                         &kBuildInfo,
                                         &kProcessCpu,
                                         &kProcessResident,
                                         &kProcessVirtual,
                                         &kProcessOpenFds,
                                         &kProcessMaxFds,
                                         &kProcessStart};

}  // namespace millrace::metrics
