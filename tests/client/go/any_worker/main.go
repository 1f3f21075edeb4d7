// A worker for the tests that have one of each language: tests/support/any_worker.sh says what it does.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"millrace"
)

var taken, peak atomic.Int64

func note(attempt *millrace.Attempt) {
	path, wanted := os.LookupEnv("RUNS")
	if !wanted {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	fmt.Fprintf(file, "%s %d\n", attempt.JobID(), attempt.Number())
}

// takes gives a handler that returns the most slots that were taken at once so far.
func takes(slots int64) millrace.RawHandler {
	return func(context.Context, []byte) ([]byte, error) {
		now := taken.Add(slots)
		defer taken.Add(-slots)
		for most := peak.Load(); now > most && !peak.CompareAndSwap(most, now); most = peak.Load() {
		}
		time.Sleep(20 * time.Millisecond)
		return fmt.Append(nil, peak.Load()), nil
	}
}

func work(ctx context.Context, payload []byte) ([]byte, error) {
	attempt := millrace.FromContext(ctx)
	note(attempt)
	attempt.Progress(0.5, "half")
	attempt.Log("at work\n")
	var refused *millrace.Error
	if err := attempt.SaveCheckpoint([]byte("half")); errors.As(err, &refused) &&
		refused.Reason != "CHECKPOINT_UNSUPPORTED" {
		return nil, err
	}
	return append([]byte("done "), payload...), nil
}

func save(ctx context.Context, payload []byte) ([]byte, error) {
	if err := millrace.FromContext(ctx).SaveCheckpoint(payload); err != nil {
		return nil, err
	}
	return []byte("saved"), nil
}

func main() {
	kinds, address := os.Args[1:len(os.Args)-1], os.Args[len(os.Args)-1]
	worker := millrace.NewWorker(address, millrace.WorkerOptions{Slots: 4, DrainTimeout: time.Second})
	for _, kind := range kinds {
		switch kind {
		case "work":
			worker.HandleRaw(kind, work)
		case "save":
			worker.HandleRaw(kind, save)
		case "wide":
			worker.HandleRaw(kind, takes(2), millrace.KindOptions{Slots: 2, BeatWithin: time.Hour})
		case "single":
			worker.HandleRaw(kind, takes(1), millrace.KindOptions{AtOnceMax: 1})
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := worker.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
