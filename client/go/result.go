package millrace

import (
	"context"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "millrace/v1"
)

const (
	resultBytes = 1 << 20 // A message has no larger one.
	pieceBytes  = 256 << 10
)

// ---- Of clients

// ReadResult gives what the handler of a job that succeeded returned, of any size. Get, Wait and Result do the same by
// themselves where it is not in the job. *Error NO_RESULT: the job has not succeeded, or not yet.
func (j *Job) ReadResult(ctx context.Context) ([]byte, error) {
	ctx = metadata.AppendToOutgoingContext(ctx, "millrace-receive-bytes-max", fmt.Sprint(receiveBytes))
	pause := 200 * time.Millisecond
	for attempt := 1; ; attempt++ {
		result, err := j.readPieces(ctx)
		if err == nil {
			return result, nil
		}
		var refused *Error
		// A result does not change, so what was cut off is read from its beginning again.
		again := errors.As(err, &refused) && (refused.Code == codes.Unavailable || refused.Reason == "SERVER_BUSY")
		if !again || attempt == waitAttempts {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fromRPC(status.FromContextError(ctx.Err()).Err())
		case <-time.After(mrand.N(pause)):
		}
		pause = min(2*pause, 5*time.Second)
	}
}

func (j *Job) readPieces(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// How long all of it takes depends on its size; a daemon that sends nothing is not waited for.
	silent := &Error{Code: codes.DeadlineExceeded,
		Message: fmt.Sprintf("nothing of the result of job %s came for %s", j.ID, callTimeout)}
	idle := time.AfterFunc(callTimeout, func() { cancel(silent) })
	defer idle.Stop()
	stream, err := j.client.jobs.ReadResult(ctx, &pb.ReadResultRequest{Id: j.ID})
	result := []byte{}
	for err == nil {
		var piece *pb.ReadResultResponse
		if piece, err = stream.Recv(); err == nil {
			result = append(result, piece.GetData()...)
			idle.Reset(callTimeout)
		}
	}
	if errors.Is(err, io.EOF) {
		return result, nil
	}
	if context.Cause(ctx) == error(silent) {
		return nil, silent
	}
	return nil, fromRPC(err)
}

// withResult reads a result that the job leaves out. A daemon that has no large results does not tell a size.
func (j *Job) withResult(ctx context.Context, job *pb.Job, err error) (*pb.Job, error) {
	if err != nil || job.GetResultBytes() <= int64(len(job.GetResult())) {
		return job, err
	}
	if job.Result, err = j.ReadResult(ctx); err != nil {
		return nil, err
	}
	return job, nil
}

// ---- Of workers

// writeResult ends an attempt with a result that no message holds. nil: the attempt is not the worker's any more,
// as the daemon has the result or somebody else the attempt. Else what the attempt fails with. What was cut off is
// written from its beginning again, also through an absence of the daemon, while the attempt is held.
func (w *Worker) writeResult(ctx context.Context, attempt *Attempt, result []byte) error {
	w.mu.Lock()
	most := max(w.daemon.resultBytesMax, resultBytes)
	w.mu.Unlock()
	if int64(len(result)) > most {
		return DoNotRetry(fmt.Errorf("the result has %d bytes, and %d are the limit (result_bytes_max of the daemon's "+
			"configuration); store it elsewhere and return a reference", len(result), most))
	}
	for pause, pauseMax := time.Duration(0), pauseLeast; ; pauseMax = min(2*pauseMax, readPauseMost) {
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		refused := &Error{} // It was stopped before any call.
		if client := w.whenShown(ctx, attempt); client != nil {
			refused = writeAll(ctx, client, attempt.lease.GetRef(), result)
		}
		w.mu.Lock()
		stopped := ctx.Err() != nil
		// What the stream acknowledged is held no more; what is left after a stop of the worker the goodbye gives back.
		over := refused == nil || refused.Reason == "LEASE_LOST" || (stopped && w.giveUp) ||
			w.held[keyOf(attempt.lease.GetRef())] != attempt
		if over {
			w.drop(attempt)
		}
		w.mu.Unlock()
		switch {
		case over:
			return nil
		case stopped: // Its end was decided then.
			return errors.New("stopped while its result was written")
		case refused.Reason == "RESULT_TOO_LARGE":
			return DoNotRetry(errors.New("cannot write the result: " + refused.Message))
		case !refused.passes():
			return errors.New("cannot write the result: " + refused.Message)
		}
		pause = pauseMax/4 + mrand.N(pauseMax)
	}
}

// passes: a call of a worker that was answered so may be repeated.
func (e *Error) passes() bool {
	return e.Code == codes.Unavailable || e.Code == codes.Canceled || e.Code == codes.DeadlineExceeded ||
		e.Reason == "SERVER_BUSY"
}

// whenShown waits until all that the handler showed is on its way, as nothing is added to an attempt that has ended,
// and gives the daemon that knows what this worker holds: another one may take the attempt for lost. nil: ctx is done
// first.
func (w *Worker) whenShown(ctx context.Context, attempt *Attempt) pb.WorkerServiceClient {
	stop := context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changed.Broadcast()
	})
	defer stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for last := int64(-1); ctx.Err() == nil; w.changed.Wait() {
		if attempt.output != nil || slices.Contains(w.toSave, attempt) {
			last = -1
			continue
		}
		if last < 0 {
			last = w.composed
		}
		if s := w.current; s != nil && s.welcome && w.sent >= last {
			return s.client
		}
	}
	return nil
}

func writeAll(ctx context.Context, client pb.WorkerServiceClient, ref *pb.AttemptRef, result []byte) *Error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(readTimeout, cancel)
	defer idle.Stop()
	stream, err := client.WriteResult(ctx)
	if err != nil {
		return fromStatus(status.Convert(err))
	}
	err = stream.Send(&pb.WriteResultRequest{Ref: ref, Bytes: int64(len(result))})
	for len(result) > 0 && err == nil {
		size := min(pieceBytes, len(result))
		err = stream.Send(&pb.WriteResultRequest{Data: result[:size]})
		result = result[size:]
		idle.Reset(readTimeout)
	}
	if _, err = stream.CloseAndRecv(); err == nil { // It says why a Send failed.
		return nil
	}
	return fromStatus(status.Convert(err))
}
