package millrace

import (
	"context"
	"fmt"
	"slices"
	"strings"

	pb "millrace/v1"
)

const (
	logBytes        = 256 << 10
	checkpointBytes = 64 << 10
	textBytes       = 4096
)

// Attempt is one attempt, for its handler; FromContext has it. Goroutines may share it until the handler has returned.
type Attempt struct {
	worker  *Worker
	lease   *pb.Lease
	slots   int64 // What it takes of the worker's.
	cancel  context.CancelFunc
	saved   []byte // The newest checkpoint, for the next stream as well.
	end     *pb.AttemptEnd
	output  *pb.AttemptOutput
	unread  bool // Its payload is to be read apart, and has not come.
	dropped bool // It is not the worker's any more.
}

type attemptKey struct{}

// FromContext gives the attempt that a handler runs; nil elsewhere.
func FromContext(ctx context.Context) *Attempt {
	attempt, _ := ctx.Value(attemptKey{}).(*Attempt)
	return attempt
}

func (a *Attempt) JobID() string             { return a.lease.GetRef().GetJobId() }
func (a *Attempt) Number() int               { return int(a.lease.GetRef().GetAttempt()) }
func (a *Attempt) Labels() map[string]string { return a.lease.GetLabels() }
func (a *Attempt) Trace() *pb.TraceContext   { return a.lease.GetTrace() }

// Checkpoint is what an earlier attempt of the job saved; nil where none did.
func (a *Attempt) Checkpoint() []byte { return a.lease.GetCheckpoint() }

// SaveCheckpoint keeps data for the job's next attempt, whatever becomes of this one. The newest counts, and an empty
// one takes it away. More than 64 KiB is an error; and so is, as an *Error CHECKPOINT_UNSUPPORTED, a daemon that is
// older than checkpoints and would lose it.
func (a *Attempt) SaveCheckpoint(data []byte) error {
	if len(data) > checkpointBytes {
		return fmt.Errorf(
			"the checkpoint has %d bytes, and 64 KiB is the limit; store it elsewhere and save a reference", len(data))
	}
	w := a.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.daemon.keepsCheckpoints() {
		return w.daemon.checkpointError()
	}
	if a.dropped || a.end != nil {
		return nil
	}
	a.saved = append([]byte{}, data...) // Never nil, which would say nothing.
	if !slices.Contains(w.toSave, a) {
		w.toSave = append(w.toSave, a)
	}
	w.poke()
	return nil
}

// Progress: the newest is shown.
func (a *Attempt) Progress(fraction float64, message string) {
	a.worker.mu.Lock()
	defer a.worker.mu.Unlock()
	if output := a.worker.outputOf(a); output != nil {
		output.Progress = &pb.Progress{Fraction: fraction, Message: text(message)}
	}
}

// Log appends to the job's log. It waits while the connection takes no more.
func (a *Attempt) Log(line string) {
	w := a.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.logged >= logBytes && !a.dropped && a.end == nil {
		w.changed.Wait()
	}
	if output := w.outputOf(a); output != nil {
		line = line[max(0, len(line)-logBytes):]
		output.Log = append(output.Log, line...)
		w.logged += len(line)
	}
}

// text makes what handlers say fit for a proto: UTF-8, and not too long.
func text(s string) string { return strings.ToValidUTF8(s[:min(len(s), textBytes)], "?") }
