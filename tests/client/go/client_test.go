// The Go client against a real daemon, which tests/e2e/go_test.sh has started at MILLRACE_ADDRESS.
package tests

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"millrace"
	pb "millrace/v1"
)

const patience = time.Minute // Only catches a hang.

var address = os.Getenv("MILLRACE_ADDRESS")

type fixture struct {
	*testing.T
	ctx    context.Context
	client *millrace.Client
	kind   string // Tests share the daemon, and nothing else.
}

func begin(t *testing.T) *fixture {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	client, err := millrace.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); client.Close() })
	return &fixture{t, ctx, client, fmt.Sprintf("kind-%d", crc32.ChecksumIEEE([]byte(t.Name())))}
}

func (f *fixture) submit(payload any, options ...millrace.Options) *millrace.Job {
	f.Helper()
	job, err := f.client.Submit(f.ctx, f.kind, payload, options...)
	if err != nil {
		f.Fatal(err)
	}
	return job
}

// start runs the worker until the test ends, or until the function that it gives is called.
func (f *fixture) start(worker *millrace.Worker) func() {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	end := sync.OnceFunc(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				f.Error(err)
			}
		case <-time.After(patience):
			f.Error("the worker did not end")
		}
	})
	f.Cleanup(end)
	return end
}

func TestAResultComesBackAsWhatItIs(t *testing.T) {
	f := begin(t)
	job, err := f.client.Submit(f.ctx, "echo", map[string]int{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	var result map[string]int
	if err := job.Result(f.ctx, &result); err != nil || result["a"] != 1 {
		t.Fatal(result, err)
	}
	job, _ = f.client.Submit(f.ctx, "echo", []byte{0xff, 0})
	var raw []byte
	if err := job.Result(f.ctx, &raw); err != nil || string(raw) != "\xff\x00" {
		t.Fatal(raw, err)
	}
}

func TestErrorsHaveReasonFieldAndNumbers(t *testing.T) {
	f := begin(t)
	_, err := f.client.Submit(f.ctx, "echo", nil, millrace.Options{Pool: "nope"})
	var refused *millrace.Error
	if !errors.As(err, &refused) || refused.Code != codes.NotFound || refused.Reason != "POOL_NOT_FOUND" ||
		refused.Field != "spec.pool" || refused.Metadata["pool"] != "nope" {
		t.Fatal(err)
	}
	nobody, _ := millrace.Dial("127.0.0.1:1")
	if _, err = nobody.Submit(f.ctx, "echo", nil); !errors.As(err, &refused) || refused.Reason != "UNREACHABLE" {
		t.Fatal(err)
	}
}

func TestManyJobsOverOneStreamComeInOrderWithWhatIsRefused(t *testing.T) {
	f := begin(t)
	requests := func(yield func(millrace.Request) bool) {
		for i := range 1000 {
			r := millrace.Request{Kind: "echo", Payload: i, Options: millrace.Options{WaitForRoom: true}}
			if i == 500 {
				r.Pool = "nope"
			}
			if !yield(r) {
				return
			}
		}
	}
	i := 0
	var last *millrace.Job
	for job, err := range f.client.SubmitMany(f.ctx, requests) {
		if (err != nil) != (i == 500) {
			t.Fatal(i, err)
		}
		last = job
		i++
	}
	var result int
	if err := last.Result(f.ctx, &result); err != nil || result != 999 || i != 1000 {
		t.Fatal(i, result, err)
	}
}

func TestAWatchEndsWithItsJob(t *testing.T) {
	f := begin(t)
	job, _ := f.client.Submit(f.ctx, "sleep", []byte("1h"))
	if _, err := job.Cancel(f.ctx, "not needed"); err != nil {
		t.Fatal(err)
	}
	state := pb.JobState_JOB_STATE_UNSPECIFIED
	for event, err := range job.Watch(f.ctx) {
		if err != nil {
			t.Fatal(err)
		}
		state = event.GetState()
	}
	if state != pb.JobState_JOB_STATE_CANCELLED {
		t.Fatal(state)
	}
}

type resize struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

func TestArgumentsAreTheJSONOfThePayloadAndMustFit(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{Slots: 2})
	millrace.Handle(worker, f.kind, func(ctx context.Context, size resize) (int, error) {
		attempt := millrace.FromContext(ctx)
		attempt.Progress(0.5, "half \xff")
		attempt.Log("a line\n")
		return size.Width * size.Height, nil
	})
	f.start(worker)
	job := f.submit(resize{Width: 3, Height: 4}, millrace.Options{Labels: map[string]string{"tenant": "acme"}})
	var area int
	if err := job.Result(f.ctx, &area); err != nil || area != 12 {
		t.Fatal(area, err)
	}
	seen, err := job.Get(f.ctx)
	if err != nil || seen.GetProgress().GetMessage() != "half ?" || string(seen.GetLogTail()) != "a line\n" {
		t.Fatal(seen, err)
	}
	for _, payload := range []any{"text", map[string]any{"width": "wide"}, map[string]any{"more": 1}} {
		var failed *millrace.JobError
		if err := f.submit(payload).Result(f.ctx, nil); !errors.As(err, &failed) || failed.Job.GetAttempts() != 1 {
			t.Fatal(payload, err)
		}
	}
}

func TestWhatAHandlerReturnsSaysWhetherItIsTriedAgain(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{})
	millrace.Handle(worker, f.kind, func(ctx context.Context, what string) (string, error) {
		switch attempt := millrace.FromContext(ctx); {
		case what == "never":
			return "", millrace.DoNotRetry(errors.New("no use \xff"))
		case what == "large":
			return string(make([]byte, 9<<20)), nil // More than the daemon takes.
		case attempt.Number() == 1 && what == "panic":
			panic("at the first")
		case attempt.Number() == 1:
			return "", millrace.RetryAfter(-time.Second, errors.New("once more"))
		}
		return "done", nil
	})
	f.start(worker)
	for _, what := range []string{"never", "large"} {
		var failed *millrace.JobError
		if err := f.submit(what).Result(f.ctx, nil); !errors.As(err, &failed) || failed.Job.GetAttempts() != 1 {
			t.Fatal(what, err)
		}
	}
	for _, what := range []string{"soon", "panic"} {
		var result string
		if err := f.submit(what).Result(f.ctx, &result); err != nil || result != "done" {
			t.Fatal(what, result, err)
		}
	}
}

func TestWhateverAHandlerDoesItsAttemptEndsAndOthersGoOn(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{})
	var none *millrace.Error
	millrace.Handle(worker, f.kind, func(_ context.Context, what string) (string, error) {
		switch what {
		case "nil":
			return "", millrace.DoNotRetry(nil)
		case "typed nil":
			return "", millrace.DoNotRetry(none)
		case "goexit":
			runtime.Goexit()
		}
		return "fine", nil
	})
	f.start(worker)
	for _, what := range []string{"nil", "typed nil", "goexit"} {
		var failed *millrace.JobError
		if err := f.submit(what, millrace.Options{MaxAttempts: 1}).Result(f.ctx, nil); !errors.As(err, &failed) {
			t.Fatal(what, err)
		}
	}
	var result string
	if err := f.submit("good").Result(f.ctx, &result); err != nil || result != "fine" {
		t.Fatal(result, err)
	}
	if worker.Run(f.ctx) == nil {
		t.Error("it ran twice")
	}
}

func TestARunThatNobodyStopsGoesOn(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{})
	began, letGo := make(chan struct{}), make(chan struct{})
	worker.HandleRaw(f.kind, func(context.Context, []byte) ([]byte, error) {
		close(began)
		<-letGo
		return nil, nil
	})
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(context.Background()) }() // Until the process ends.
	job := f.submit(nil)
	<-began
	time.Sleep(300 * time.Millisecond) // Several looks of its watch; a slow machine makes this test weaker, not wrong.
	close(letGo)
	if err := job.Result(f.ctx, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		t.Fatal("it has ended: ", err)
	default:
	}
}

func TestACancelEndsTheContextOfTheHandler(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{})
	began := make(chan struct{})
	worker.HandleRaw(f.kind, func(ctx context.Context, _ []byte) ([]byte, error) {
		close(began)
		<-ctx.Done()
		millrace.FromContext(ctx).Log("told to stop\n")
		return nil, ctx.Err()
	})
	f.start(worker)
	job := f.submit(nil)
	<-began
	for !worker.Healthy() { // The machine may just have stood still for two heartbeats.
		if f.ctx.Err() != nil {
			t.Fatal("it is at work, and not healthy")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := job.Cancel(f.ctx, ""); err != nil {
		t.Fatal(err)
	}
	if ended, err := job.Wait(f.ctx); err != nil || ended.GetState() != pb.JobState_JOB_STATE_CANCELLED {
		t.Fatal(ended, err)
	}
}

func TestThousandsOneAfterTheOtherAndNoMoreAtOnceThanSlots(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{Slots: 4})
	var now, most atomic.Int64
	millrace.Handle(worker, f.kind, func(_ context.Context, i int) (int, error) {
		running := now.Add(1)
		for seen := most.Load(); seen < running && !most.CompareAndSwap(seen, running); seen = most.Load() {
		}
		now.Add(-1)
		return i, nil
	})
	f.start(worker)
	jobs := []*millrace.Job{}
	for job, err := range f.client.SubmitMany(f.ctx, func(yield func(millrace.Request) bool) {
		for i := range 2000 {
			if !yield(millrace.Request{Kind: f.kind, Payload: i, Options: millrace.Options{WaitForRoom: true}}) {
				return
			}
		}
	}) {
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job)
	}
	for i, job := range jobs {
		result := -1
		if err := job.Result(f.ctx, &result); err != nil || result != i {
			t.Fatal(i, result, err)
		}
	}
	if most.Load() > 4 {
		t.Fatal(most.Load(), "at once")
	}
}

func TestAStopGivesBackWhatTakesTooLong(t *testing.T) {
	f := begin(t)
	hasty := millrace.NewWorker(address, millrace.WorkerOptions{DrainTimeout: time.Millisecond})
	began := make(chan struct{})
	var once sync.Once
	slow := func(ctx context.Context, _ []byte) ([]byte, error) {
		once.Do(func() { close(began) })
		<-ctx.Done()
		return nil, millrace.RetryAfter(0, ctx.Err())
	}
	hasty.HandleRaw(f.kind, slow)
	end := f.start(hasty)
	job := f.submit(nil)
	<-began
	end()
	if hasty.Healthy() {
		t.Error("it has ended, and is healthy")
	}
	worker := millrace.NewWorker(address, millrace.WorkerOptions{})
	worker.HandleRaw(f.kind, func(context.Context, []byte) ([]byte, error) { return []byte(`"done"`), nil })
	f.start(worker)
	var result string
	if err := job.Result(f.ctx, &result); err != nil || result != "done" {
		t.Fatal(result, err)
	}
}

func TestAWorkerThatMakesNoSenseIsToldSo(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{Name: "two words"})
	worker.HandleRaw(f.kind, func(context.Context, []byte) ([]byte, error) { return nil, nil })
	var refused *millrace.Error
	if err := worker.Run(f.ctx); !errors.As(err, &refused) || refused.Reason != "BAD_WORKER" ||
		refused.Field != "hello.worker" {
		t.Fatal(err)
	}
}
