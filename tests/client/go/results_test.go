// Results that no message holds: how the library writes and reads them.
package tests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace"
	pb "millrace/v1"
)

// ---- With the real daemon, which takes results of 8 MiB

func TestALargeResultGoesFromTheHandlerToWhoeverWaits(t *testing.T) {
	f := begin(t)
	large := noise(3 << 20)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{Slots: 2})
	worker.HandleRaw(f.kind, func(ctx context.Context, _ []byte) ([]byte, error) {
		attempt := millrace.FromContext(ctx)
		attempt.Progress(0.9, "nearly")
		attempt.Log("rendered\n")
		return large, attempt.SaveCheckpoint([]byte("almost"))
	})
	f.start(worker)
	job := f.submit(nil)
	seen, err := job.Wait(f.ctx)
	if err != nil || !bytes.Equal(seen.GetResult(), large) {
		t.Fatal(len(seen.GetResult()), seen.GetError(), err)
	}
	if string(seen.GetLogTail()) != "rendered\n" || seen.GetProgress().GetMessage() != "nearly" {
		t.Fatal("what the handler said came after: ", string(seen.GetLogTail()), seen.GetProgress())
	}
	if !bytes.Equal(f.get(job).GetResult(), large) {
		t.Fatal("get has another result")
	}
	if read, err := job.ReadResult(f.ctx); err != nil || !bytes.Equal(read, large) {
		t.Fatal(len(read), err)
	}
	var result []byte
	if err := job.Result(f.ctx, &result); err != nil || !bytes.Equal(result, large) {
		t.Fatal(len(result), err)
	}
}

func TestALargeResultMayBeJSON(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{})
	millrace.Handle(worker, f.kind, func(context.Context, int) (string, error) { return strings.Repeat("x", 2<<20), nil })
	f.start(worker)
	if result := f.text(f.submit(1)); result != strings.Repeat("x", 2<<20) {
		t.Fatal(len(result))
	}
}

func TestAResultThatTheDaemonDoesNotTakeIsAFailureThatNamesTheSetting(t *testing.T) {
	f := begin(t)
	worker := millrace.NewWorker(address, millrace.WorkerOptions{})
	worker.HandleRaw(f.kind, func(context.Context, []byte) ([]byte, error) { return make([]byte, 8<<20+1), nil })
	f.start(worker)
	job := f.submit(nil)
	var failed *millrace.JobError
	if err := job.Result(f.ctx, nil); !errors.As(err, &failed) || failed.Job.GetAttempts() != 1 ||
		!strings.Contains(failed.Job.GetError(), "has 8388609 bytes, and 8388608 are the limit (result_bytes_max of") {
		t.Fatal(err)
	}
	var refused *millrace.Error
	if _, err := job.ReadResult(f.ctx); !errors.As(err, &refused) || refused.Reason != "NO_RESULT" {
		t.Fatal(err)
	}
}

func TestASmallResultMayBeReadAlone(t *testing.T) {
	f := begin(t)
	for _, payload := range [][]byte{[]byte("small"), {}} {
		job, err := f.client.Submit(f.ctx, "echo", payload)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = job.Wait(f.ctx); err != nil {
			t.Fatal(err)
		}
		if read, err := job.ReadResult(f.ctx); err != nil || !bytes.Equal(read, payload) {
			t.Fatal(read, err)
		}
	}
}

// ---- With one that answers as the test wants

// rendering starts a worker of the daemon, whose "render" returns 3 MiB, and "small" little.
func (f *fixture) rendering(d *scripted, options millrace.WorkerOptions) (large []byte, end func()) {
	if d.resultBytes == 0 {
		d.resultBytes = 64 << 20
	}
	if d.heartbeat == 0 {
		d.heartbeat = time.Hour
	}
	d.serve(f.T)
	large = noise(3 << 20)
	worker := millrace.NewWorker(d.address, options)
	worker.HandleRaw("render", func(context.Context, []byte) ([]byte, error) { return large, nil })
	worker.HandleRaw("small", says("small"))
	return large, f.start(worker)
}

// failureOf waits for the end of "job 1", and checks what it says.
func (f *fixture) failureOf(d *scripted, words string, doNotRetry bool) {
	f.Helper()
	f.eventually(func() bool { return len(d.ends()) > 0 })
	failure := d.ends()["job 1"].GetFailure()
	if !strings.Contains(failure.GetError(), words) || failure.GetDoNotRetry() != doNotRetry {
		f.Fatal(failure)
	}
}

func TestAResultIsWrittenAgainUntilTheDaemonHasIt(t *testing.T) {
	f := begin(t)
	var calls atomic.Int64
	written := make(chan *pb.WriteResultRequest, 1)
	d := &scripted{kinds: []string{"render"}}
	d.writeResult = func(stream pb.WorkerService_WriteResultServer) error {
		switch calls.Add(1) {
		case 1:
			return status.Error(codes.Unavailable, "not now")
		case 2:
			return refusal(codes.ResourceExhausted, "SERVER_BUSY", "too many")
		case 3:
			_, _ = stream.Recv()
			_, _ = stream.Recv()
			return status.Error(codes.Canceled, "cut in the middle")
		}
		whole, err := stream.Recv()
		for err == nil {
			var piece *pb.WriteResultRequest
			if piece, err = stream.Recv(); err == nil {
				whole.Data = append(whole.Data, piece.GetData()...)
			}
		}
		written <- whole
		return nil
	}
	large, end := f.rendering(d, millrace.WorkerOptions{})
	whole := <-written
	if !bytes.Equal(whole.GetData(), large) || whole.GetBytes() != 3<<20 || whole.GetRef().GetJobId() != "job 1" {
		t.Fatal(len(whole.GetData()), whole.GetBytes(), whole.GetRef())
	}
	end() // The worker holds nothing any more, or this would wait for it.
	if ends := d.ends(); len(ends) != 0 {
		t.Fatal("its end was told twice: ", ends)
	}
}

func TestTheResultOfAnAttemptThatIsSomebodyElsesIsDropped(t *testing.T) {
	f := begin(t)
	d := &scripted{kinds: []string{"render", "small"}}
	d.writeResult = func(pb.WorkerService_WriteResultServer) error {
		return refusal(codes.FailedPrecondition, "LEASE_LOST", "others run it")
	}
	_, end := f.rendering(d, millrace.WorkerOptions{Slots: 2})
	f.eventually(func() bool { return d.ends()["job 2"] != nil })
	end()
	if len(d.ends()) != 1 {
		t.Fatal(d.ends())
	}
}

func TestAResultThatIsRefusedForGoodFailsItsAttempt(t *testing.T) {
	for reason, doNotRetry := range map[string]bool{"RESULT_TOO_LARGE": true, "BAD_RESULT": false} {
		t.Run(reason, func(t *testing.T) {
			f := begin(t)
			d := &scripted{kinds: []string{"render"}}
			d.writeResult = func(pb.WorkerService_WriteResultServer) error {
				return refusal(codes.InvalidArgument, reason, "not that one")
			}
			f.rendering(d, millrace.WorkerOptions{})
			f.failureOf(d, "cannot write the result: not that one", doNotRetry)
		})
	}
}

func TestAnOlderDaemonTakesOneMiB(t *testing.T) {
	f := begin(t)
	d := &scripted{kinds: []string{"render"}, resultBytes: -1}
	f.rendering(d, millrace.WorkerOptions{})
	f.failureOf(d, "the result has 3145728 bytes, and 1048576 are the limit", true)
}

func TestAResultThatCannotBeWrittenBeforeTheEndOfTheWorkerIsGivenBack(t *testing.T) {
	f := begin(t)
	var calls atomic.Int64
	d := &scripted{kinds: []string{"render"}}
	d.writeResult = func(pb.WorkerService_WriteResultServer) error {
		calls.Add(1)
		return status.Error(codes.Unavailable, "not now")
	}
	_, end := f.rendering(d, millrace.WorkerOptions{DrainTimeout: 1})
	f.eventually(func() bool { return calls.Load() > 0 })
	end()
	f.eventually(d.seen(func() bool { return d.bye }))
	if len(d.ends()) != 0 {
		t.Fatal(d.ends())
	}
}

func TestWhoStopsAnAttemptStopsTheWritingOfItsResult(t *testing.T) {
	f := begin(t)
	d := &scripted{kinds: []string{"render"}}
	d.writeResult = func(stream pb.WorkerService_WriteResultServer) error {
		stop := &pb.AttemptStop{Ref: &pb.AttemptRef{JobId: "job 1", Token: 1}}
		if err := d.say(&pb.WorkResponse{Stops: []*pb.AttemptStop{stop}}); err != nil {
			return err
		}
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	f.rendering(d, millrace.WorkerOptions{})
	f.failureOf(d, "stopped while its result was written", false)
}

func TestAnAttemptIsHeldWhileItsResultIsWritten(t *testing.T) {
	f := begin(t)
	var cut, named sync.Once
	beat := make(chan struct{}) // A heartbeat has named it.
	d := &scripted{kinds: []string{"render"}, heartbeat: 100 * time.Millisecond}
	again := d.seen(func() bool { return len(d.hellos) > 1 })
	var calls atomic.Int64
	d.hear = func(request *pb.WorkRequest) (err error) {
		for _, ref := range request.GetHeartbeat().GetHeld().GetRefs() {
			if ref.GetJobId() == "job 1" && calls.Load() > 0 {
				named.Do(func() { close(beat) })
				cut.Do(func() { err = status.Error(codes.Unavailable, "cut") })
			}
		}
		return err
	}
	written := make(chan struct{})
	d.writeResult = func(stream pb.WorkerService_WriteResultServer) error {
		if calls.Add(1) > 1 {
			for _, err := stream.Recv(); err == nil; _, err = stream.Recv() {
			}
			close(written)
			return nil
		}
		<-beat
		f.eventually(again) // Its worker comes back for it meanwhile.
		return status.Error(codes.Unavailable, "not now")
	}
	_, end := f.rendering(d, millrace.WorkerOptions{})
	<-written
	end()
	d.mu.Lock()
	defer d.mu.Unlock()
	if held := d.hellos[1].GetHeld(); len(held) != 1 || held[0].GetState() != pb.HeldAttempt_STATE_RUNNING {
		t.Fatal(held)
	}
}

func TestAClientReadsAResultAgainFromItsBeginning(t *testing.T) {
	f := begin(t)
	calls := 0
	d := &scripted{}
	d.readResult = func(stream pb.JobService_ReadResultServer) error {
		calls++
		switch calls {
		case 1:
			return status.Error(codes.Unavailable, "not now")
		case 2:
			return refusal(codes.ResourceExhausted, "SERVER_BUSY", "too many")
		case 3:
			_ = stream.Send(&pb.ReadResultResponse{Data: []byte("cut")})
			return status.Error(codes.Unavailable, "cut in the middle")
		case 4:
			for i := range 3 {
				_ = stream.Send(&pb.ReadResultResponse{Data: []byte(fmt.Sprint(i))})
			}
			return nil
		}
		return refusal(codes.FailedPrecondition, "NO_RESULT", "none")
	}
	d.serve(t)
	client, err := millrace.Dial(d.address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if result, err := client.Job("x").ReadResult(f.ctx); err != nil || string(result) != "012" {
		t.Fatal(string(result), err)
	}
	var refused *millrace.Error
	if _, err := client.Job("x").ReadResult(f.ctx); !errors.As(err, &refused) || refused.Reason != "NO_RESULT" {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(f.ctx)
	cancel()
	if _, err := client.Job("x").ReadResult(canceled); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
