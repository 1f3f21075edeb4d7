package millrace

import (
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"

	pb "millrace/v1"
)

// daemon is what the one at the other end can do: an older one can do less, and its welcome does not name it.
type daemon struct {
	version      string
	capabilities []string
	// Of a result by WriteResult; an older daemon has 0, and no such call.
	resultBytesMax int64
}

func daemonOf(welcome *pb.WorkerWelcome) daemon {
	d := daemon{version: welcome.GetServerVersion(), capabilities: welcome.GetCapabilities(),
		resultBytesMax: welcome.GetResultBytesMax()}
	if d.version == "" {
		d.version = "unknown"
	}
	return d
}

func (d daemon) keepsCheckpoints() bool { return slices.Contains(d.capabilities, "checkpoint") }

// Of kinds: slots, at_once_max and beat_within. The first daemons that knew them named only `checkpoint`.
func (d daemon) knowsCosts() bool {
	return slices.Contains(d.capabilities, "costs") || d.keepsCheckpoints()
}

func (d daemon) checkpointError() *Error {
	return &Error{Code: codes.FailedPrecondition, Reason: "CHECKPOINT_UNSUPPORTED",
		Message: fmt.Sprintf(
			"the daemon (version %s) keeps no checkpoints: upgrade the daemon, or save no checkpoint", d.version),
		Metadata: map[string]string{"daemon_version": d.version}}
}

// warnings are what a worker with such kinds should say of this daemon.
func (d daemon) warnings(kinds map[string]kindHandler) (words []string) {
	if d.knowsCosts() {
		return nil
	}
	costs, beats := false, false
	for _, kind := range kinds {
		costs = costs || kind.Slots > 1 || kind.AtOnceMax > 0
		beats = beats || kind.BeatWithin != 0
	}
	if costs {
		words = append(words, fmt.Sprintf("the daemon (version %s) does not know the slots and at_once_max of kinds, so "+
			"this worker takes fewer jobs at once than it has slots for: upgrade the daemon", d.version))
	}
	if beats {
		words = append(words, fmt.Sprintf("the daemon (version %s) does not know beat_within, so handlers that hang are "+
			"not stopped: upgrade the daemon", d.version))
	}
	return words
}

// grantSafely gives how many leases a worker takes from a daemon that counts them, whatever they take: each may be the
// largest, and all may be of one kind.
func (w *Worker) grantSafely(free int64) int64 {
	largest := 1
	for _, kind := range w.handlers {
		largest = max(largest, kind.Slots)
	}
	free /= int64(largest)
	for name, kind := range w.handlers {
		if kind.AtOnceMax > 0 {
			free = min(free, int64(kind.AtOnceMax)-w.runs[name])
		}
	}
	return free
}
