// What workers and jobs say of each other: labels, slots, checkpoints, large payloads; and how operators see it.
package tests

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"millrace"
	pb "millrace/v1"
)

func (f *fixture) eventually(condition func() bool) {
	f.Helper()
	for !condition() {
		if f.ctx.Err() != nil {
			f.Fatal("waited in vain")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (f *fixture) get(job *millrace.Job) *pb.Job {
	f.Helper()
	seen, err := job.Get(f.ctx)
	if err != nil {
		f.Fatal(err)
	}
	return seen
}

func (f *fixture) text(job *millrace.Job) string {
	f.Helper()
	var result string
	if err := job.Result(f.ctx, &result); err != nil {
		f.Fatal(err)
	}
	return result
}

// says gives a handler that returns always the same.
func says(word string) millrace.RawHandler {
	return func(context.Context, []byte) ([]byte, error) { return []byte(`"` + word + `"`), nil }
}

func noise(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	return data
}

func TestWhatAnAttemptSavesTheNextOneFinds(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{})
	worker.HandleRaw(f.kind, func(ctx context.Context, payload []byte) ([]byte, error) {
		attempt := millrace.FromContext(ctx)
		if saved := attempt.Checkpoint(); len(saved) > 0 {
			return saved, nil
		}
		if attempt.SaveCheckpoint(make([]byte, 64<<10+1)) == nil {
			return nil, millrace.DoNotRetry(errors.New("it took more than 64 KiB"))
		}
		for _, each := range [][]byte{[]byte("some"), payload} {
			if err := attempt.SaveCheckpoint(each); err != nil {
				return nil, millrace.DoNotRetry(err)
			}
		}
		clear(payload) // What was saved is a copy.
		return nil, millrace.RetryAfter(0, errors.New("go on from there"))
	})
	f.start(worker)
	largest := noise(64 << 10)
	var result []byte
	if err := f.submit(largest).Result(f.ctx, &result); err != nil || !bytes.Equal(result, largest) {
		t.Fatal(len(result), err)
	}
}

func TestAnEmptyCheckpointTakesAwayWhatWasSaved(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{})
	var runs atomic.Int64
	worker.HandleRaw(f.kind, func(ctx context.Context, _ []byte) ([]byte, error) {
		attempt := millrace.FromContext(ctx)
		saved := attempt.Checkpoint()
		if runs.Add(1) == 3 {
			return append([]byte("found "), saved...), nil
		}
		next := []byte("some")
		if len(saved) > 0 {
			next = nil
		}
		if err := attempt.SaveCheckpoint(next); err != nil {
			return nil, err
		}
		return nil, millrace.RetryAfter(0, errors.New("once more"))
	})
	f.start(worker)
	var result []byte
	if err := f.submit(nil).Result(f.ctx, &result); err != nil || string(result) != "found " {
		t.Fatal(string(result), err)
	}
}

func TestALargePayloadComesWhole(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{Slots: 4})
	worker.HandleRaw(f.kind, func(_ context.Context, payload []byte) ([]byte, error) { return payload, nil })
	f.start(worker)
	jobs := map[*millrace.Job][]byte{}
	for range 6 {
		payload := noise(200 << 10)
		jobs[f.submit(payload)] = payload
	}
	for job, payload := range jobs {
		var result []byte
		if err := job.Result(f.ctx, &result); err != nil || !bytes.Equal(result, payload) {
			t.Fatal(len(result), err)
		}
	}
}

func TestAJobRunsWhereTheLabelsAreThatItRequiresAndBetterWhereItPrefers(t *testing.T) {
	f := begin(t)
	zones := []string{"east", "west"}
	for _, zone := range zones {
		worker := millrace.NewWorker(address,
			millrace.WorkerOptions{Slots: 2, Labels: map[string]string{"zone": zone}})
		worker.HandleRaw(f.kind, says(zone))
		f.start(worker)
	}
	for _, zone := range zones { // Once each has run some, both are there and have room.
		for range 5 {
			job := f.submit(nil, millrace.Options{Require: map[string]string{"zone": zone}})
			if ran := f.text(job); ran != zone {
				t.Fatal(ran, "and not", zone)
			}
		}
	}
	for _, zone := range zones {
		job := f.submit(nil, millrace.Options{Prefer: map[string]string{"zone": zone}})
		if ran := f.text(job); ran != zone {
			t.Fatal(ran, "and not", zone)
		}
	}
	f.text(f.submit(nil, millrace.Options{Prefer: map[string]string{"zone": "north"}}))
}

func TestAttemptsTakeTheSlotsThatTheirKindCostsAndAKindHasItsOwnLimit(t *testing.T) {
	for name, options := range map[string]millrace.KindOptions{"cost": {Slots: 4}, "limit": {AtOnceMax: 2}} {
		t.Run(name, func(t *testing.T) {
			f := begin(t)
			worker := millrace.NewWorker(address, millrace.WorkerOptions{Slots: 8})
			var now, most atomic.Int64
			millrace.Handle(worker, f.kind, func(ctx context.Context, _ any) (any, error) {
				running := now.Add(1)
				defer now.Add(-1)
				for seen := most.Load(); seen < running && !most.CompareAndSwap(seen, running); seen = most.Load() {
				}
				for most.Load() < 2 && ctx.Err() == nil { // Each waits until two have run at once.
					time.Sleep(10 * time.Millisecond)
				}
				return nil, nil
			}, options)
			f.start(worker)
			jobs := []*millrace.Job{}
			for range 6 {
				jobs = append(jobs, f.submit(nil))
			}
			for _, job := range jobs {
				if err := job.Result(f.ctx, nil); err != nil {
					t.Fatal(err)
				}
			}
			if most.Load() != 2 {
				t.Fatal(most.Load(), "at once")
			}
		})
	}
}

func TestADrainedWorkerIsShownSoAndGoesOnOnlyWithWhatItHas(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{Slots: 2, Name: f.kind, BuildID: "7",
		Labels: map[string]string{"zone": "east"}})
	began, letGo := make(chan struct{}, 10), make(chan struct{})
	worker.HandleRaw(f.kind, func(ctx context.Context, _ []byte) ([]byte, error) {
		began <- struct{}{}
		select {
		case <-letGo:
		case <-ctx.Done():
		}
		return []byte(`"done"`), nil
	})
	f.start(worker)
	first := f.submit(nil)
	<-began
	listed, err := f.client.ListWorkers(f.ctx, f.kind)
	if err != nil || len(listed) != 1 || listed[0].GetId() != worker.ID() || listed[0].GetName() != f.kind ||
		listed[0].GetSlots() != 2 {
		t.Fatal(listed, err)
	}
	labels := map[string]string{"zone": "east", "worker": f.kind, "build": "7"}
	if !maps.Equal(listed[0].GetLabels(), labels) {
		t.Fatal(listed[0].GetLabels())
	}
	seen, err := f.client.GetWorker(f.ctx, worker.ID())
	if err != nil || len(seen.GetAttempts()) != 1 || seen.GetAttempts()[0].GetJobId() != first.ID {
		t.Fatal(seen, err)
	}
	if seen, err = f.client.DrainWorker(f.ctx, f.kind); err != nil || seen.GetState() != pb.Worker_STATE_DRAINING {
		t.Fatal(seen, err)
	}
	f.eventually(worker.Drained)
	second := f.submit(nil)
	close(letGo)
	if f.text(first) != "done" || f.get(second).GetState() != pb.JobState_JOB_STATE_QUEUED {
		t.Fatal(f.get(second))
	}
	if _, err = f.client.ResumeWorker(f.ctx, f.kind); err != nil || f.text(second) != "done" {
		t.Fatal(err)
	}
	f.eventually(func() bool { return !worker.Drained() })
	var refused *millrace.Error
	if _, err = f.client.GetWorker(f.ctx, "nobody"); !errors.As(err, &refused) || refused.Reason != "UNKNOWN_WORKER" {
		t.Fatal(err)
	}
}

func TestAJobThatWaitsSaysForWhat(t *testing.T) {
	f := begin(t)
	needs := millrace.Options{Require: map[string]string{"gpu": "a100"}}
	job := f.submit(nil, needs)
	if waiting := f.get(job).GetWaiting(); waiting.GetReason() != pb.Waiting_REASON_NO_WORKER ||
		waiting.GetMessage() == "" {
		t.Fatal(waiting)
	}
	plain := millrace.NewWorker(address, millrace.WorkerOptions{})
	plain.HandleRaw(f.kind, says("plain"))
	f.start(plain)
	f.eventually(func() bool { return f.get(job).GetWaiting().GetReason() == pb.Waiting_REASON_NO_LABELS })
	behind := f.submit(nil, needs)
	if ahead := f.get(behind).GetWaiting().GetJobsAhead(); ahead < 1 {
		t.Fatal(ahead, "ahead")
	}
	strong := millrace.NewWorker(address, millrace.WorkerOptions{Labels: map[string]string{"gpu": "a100"}})
	strong.HandleRaw(f.kind, says("strong"))
	f.start(strong)
	for _, each := range []*millrace.Job{job, behind} {
		if ran := f.text(each); ran != "strong" || f.get(each).GetWaiting() != nil {
			t.Fatal(ran)
		}
	}
}
