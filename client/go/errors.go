package millrace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "millrace/v1"
)

// Error is what the daemon says when it refuses a call, or that nobody answered (Reason "UNREACHABLE").
type Error struct {
	Code       codes.Code        // What to do.
	Reason     string            // "QUEUE_FULL"; it never changes.
	Message    string            // For people.
	Field      string            // At fault: "spec.pool".
	Metadata   map[string]string // The numbers of the message.
	RetryAfter time.Duration     // A repeat may help then; 0: nothing was said.
}

func (e *Error) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Reason, e.Message)
}

// Is lets errors.Is find context.DeadlineExceeded and context.Canceled.
func (e *Error) Is(target error) bool {
	return (target == context.DeadlineExceeded && e.Code == codes.DeadlineExceeded) ||
		(target == context.Canceled && e.Code == codes.Canceled)
}

func fromStatus(s *status.Status) *Error {
	e := &Error{Code: s.Code(), Message: s.Message()}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			e.Reason, e.Metadata = d.GetReason(), d.GetMetadata()
		case *errdetails.BadRequest:
			if violations := d.GetFieldViolations(); len(violations) > 0 {
				e.Field = violations[0].GetField()
			}
		case *errdetails.RetryInfo:
			e.RetryAfter = d.GetRetryDelay().AsDuration()
		}
	}
	if e.Reason == "" && e.Code == codes.Unavailable {
		e.Reason = "UNREACHABLE"
	}
	if e.Reason == "" && e.Code == codes.Unimplemented {
		e.Reason = "UNIMPLEMENTED"
		if e.Message == "" {
			e.Message = "the daemon does not know this call, so it is older than this library: upgrade the daemon"
		}
	}
	return e
}

func fromRPC(err error) error {
	if err == nil {
		return nil
	}
	return fromStatus(status.Convert(err))
}

// JobError is what Result gives for a job that has ended without success.
type JobError struct{ Job *pb.Job }

func (e *JobError) Error() string {
	return fmt.Sprintf("job %s is %s: %s", e.Job.GetId(), stateName(e.Job.GetState()), e.Job.GetError())
}

// DoNotRetry makes the failure of a handler final: the job is not tried again.
func DoNotRetry(err error) error { return &outcome{err: err, final: true} }

// RetryAfter has the next attempt begin after this time, instead of the backoff.
func RetryAfter(after time.Duration, err error) error { return &outcome{err: err, after: &after} }

type outcome struct {
	err   error
	final bool
	after *time.Duration
}

// An error may be nil, or its Error may panic; that is a failure like any other.
func (o *outcome) Error() (message string) {
	defer func() {
		if recovered := recover(); recovered != nil {
			message = fmt.Sprintf("an error that cannot be shown: %v", recovered)
		}
	}()
	if o.err == nil {
		return "the attempt failed without a word"
	}
	return o.err.Error()
}

// describe has the text of an error made here, where a panic does no harm.
func describe(err error) error {
	o := outcomeOf(err)
	return &outcome{err: errors.New(o.Error()), final: o.final, after: o.after}
}

func (o *outcome) Unwrap() error { return o.err }

func outcomeOf(err error) *outcome {
	var o *outcome
	if errors.As(err, &o) {
		return o
	}
	return &outcome{err: err}
}
