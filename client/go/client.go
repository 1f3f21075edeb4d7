// Package millrace submits jobs to a Millrace daemon, and runs them.
//
//	client, err := millrace.Dial("127.0.0.1:7070")
//	job, err := client.Submit(ctx, "resize", Resize{Path: "cat.png", Width: 200})
//	err = job.Result(ctx, &path)
//
// Payloads and results are JSON, or bytes where a []byte is given or asked for. Contexts end calls; a call without a
// deadline has one of 30 seconds, but for those that wait.
package millrace

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	mrand "math/rand/v2"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "millrace/v1"
)

const (
	callTimeout  = 30 * time.Second
	pollTime     = 20 * time.Second
	callAttempts = 4
	waitAttempts = 12 // Some 30 s of absence.
	receiveBytes = 64 << 20
)

// Client is a connection to a daemon. Goroutines share it.
type Client struct {
	conn    *grpc.ClientConn
	jobs    pb.JobServiceClient
	workers pb.WorkerServiceClient
}

// Dial connects with the first call; what can fail here is the address.
func Dial(address string) (*Client, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(receiveBytes)))
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn, jobs: pb.NewJobServiceClient(conn), workers: pb.NewWorkerServiceClient(conn)}, nil
}

func (c *Client) Close() error { return c.conn.Close() }

// Job is a job that was accepted.
type Job struct {
	client *Client
	ID     string
}

// Options say more of a job than its kind and payload.
type Options struct {
	Pool              string
	Band              pb.Band
	Delay             time.Duration
	RunAt             time.Time
	RunTimeout        time.Duration
	Deadline          time.Time
	DeadlineAfter     time.Duration
	MaxAttempts       int32 // 0: the kind's.
	Labels            map[string]string
	Require           map[string]string // Labels of the workers that may run it.
	Prefer            map[string]string // Labels of those that should, where one of them has room.
	UniqueKey         string
	RequestID         string // Empty: one is drawn, so that a repeat of the call makes no second job.
	NoRetryAfterStart bool
	WaitForRoom       bool // A full pool is waited for instead of refusing.
}

// Request is a job of SubmitMany.
type Request struct {
	Kind    string
	Payload any
	Options
}

func encode(value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []byte:
		return v, nil
	default:
		return json.Marshal(v)
	}
}

func randomID() string {
	var bytes [16]byte
	_, _ = rand.Read(bytes[:])
	return hex.EncodeToString(bytes[:])
}

func request(r Request) (*pb.SubmitJobRequest, error) {
	payload, err := encode(r.Payload)
	if err != nil {
		return nil, fmt.Errorf("the payload of a job of kind %q: %w", r.Kind, err)
	}
	spec := &pb.JobSpec{Pool: r.Pool, Kind: r.Kind, Payload: payload, Band: r.Band, Labels: r.Labels,
		NoRetryAfterStart: r.NoRetryAfterStart}
	if r.Delay > 0 {
		spec.Delay = durationpb.New(r.Delay)
	}
	if !r.RunAt.IsZero() {
		spec.RunAt = timestamppb.New(r.RunAt)
	}
	if r.RunTimeout > 0 {
		spec.RunTimeout = durationpb.New(r.RunTimeout)
	}
	if !r.Deadline.IsZero() {
		spec.Deadline = timestamppb.New(r.Deadline)
	}
	if r.DeadlineAfter > 0 {
		spec.DeadlineAfter = durationpb.New(r.DeadlineAfter)
	}
	if r.MaxAttempts > 0 {
		spec.Retry = &pb.RetryPolicy{MaxAttempts: &r.MaxAttempts}
	}
	if r.UniqueKey != "" {
		spec.UniqueKey = &pb.UniqueKey{Key: r.UniqueKey}
	}
	if len(r.Require) > 0 || len(r.Prefer) > 0 {
		spec.Placement = &pb.Placement{Require: r.Require, Prefer: r.Prefer}
	}
	id := r.RequestID
	if id == "" {
		id = randomID()
	}
	whole := &pb.SubmitJobRequest{Spec: spec, RequestId: id}
	if r.WaitForRoom {
		whole.OnFull = pb.OnFull_ON_FULL_WAIT
	}
	return whole, nil
}

// Submit submits one job: a []byte payload as it is, anything else as JSON.
func (c *Client) Submit(ctx context.Context, kind string, payload any, options ...Options) (*Job, error) {
	r := Request{Kind: kind, Payload: payload}
	if len(options) > 0 {
		r.Options = options[0]
	}
	whole, err := request(r)
	if err != nil {
		return nil, err
	}
	response, err := call(ctx, callAttempts, callTimeout, func(ctx context.Context) (*pb.SubmitJobResponse, error) {
		return c.jobs.SubmitJob(ctx, whole)
	})
	if err != nil {
		return nil, err
	}
	return &Job{c, response.GetId()}, nil
}

// SubmitMany submits over one stream, and gives for each, in order, its job or why it was refused (*Error). A pool that
// is full slows it down, where WaitForRoom is set. The last error is that of the stream, if it broke.
func (c *Client) SubmitMany(ctx context.Context, requests iter.Seq[Request]) iter.Seq2[*Job, error] {
	return func(yield func(*Job, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := c.jobs.StreamSubmit(ctx)
		if err != nil {
			yield(nil, fromRPC(err))
			return
		}
		failed := make(chan error, 1)
		go func() {
			sequence := int64(0)
			for r := range requests {
				whole, err := request(r)
				if err != nil {
					failed <- err
					cancel()
					return
				}
				// How the stream broke is told by Recv.
				if stream.Send(&pb.StreamSubmitRequest{Sequence: sequence, Request: whole}) != nil {
					return
				}
				sequence++
			}
			_ = stream.CloseSend()
		}()
		type answer struct {
			job *Job
			err error
		}
		answers := map[int64]answer{}
		for next := int64(0); ; {
			response, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				select {
				case err = <-failed:
				default:
					err = fromRPC(err)
				}
				yield(nil, err)
				return
			}
			if response.GetError() != nil {
				answers[response.GetSequence()] = answer{err: fromStatus(status.FromProto(response.GetError()))}
			} else {
				answers[response.GetSequence()] = answer{job: &Job{c, response.GetResponse().GetId()}}
			}
			for a, known := answers[next]; known; a, known = answers[next] {
				delete(answers, next)
				next++
				if !yield(a.job, a.err) {
					return
				}
			}
		}
	}
}

// Job names a job by its id, for the calls below.
func (c *Client) Job(id string) *Job { return &Job{c, id} }

// Get gives all of the job as it is now; and while it waits, GetWaiting says for what.
func (j *Job) Get(ctx context.Context) (*pb.Job, error) {
	job, err := call(ctx, callAttempts, callTimeout, func(ctx context.Context) (*pb.Job, error) {
		return j.client.jobs.GetJob(ctx, &pb.GetJobRequest{Id: j.ID})
	})
	return j.withResult(ctx, job, err)
}

// Wait gives the job, without its payload, once it has ended, whatever its end. It asks in long polls, and goes on
// through short absences of the daemon.
func (j *Job) Wait(ctx context.Context) (*pb.Job, error) {
	for {
		job, err := call(ctx, waitAttempts, pollTime+callTimeout, func(ctx context.Context) (*pb.Job, error) {
			return j.client.jobs.WaitJob(ctx, &pb.WaitJobRequest{Id: j.ID, Timeout: durationpb.New(pollTime)})
		})
		if err != nil || job.GetState() >= pb.JobState_JOB_STATE_SUCCEEDED {
			return j.withResult(ctx, job, err)
		}
	}
}

// Result waits for the job and decodes what its handler returned: the bytes into a *[]byte, JSON into anything else.
// *JobError where it has no result.
func (j *Job) Result(ctx context.Context, into any) error {
	job, err := j.Wait(ctx)
	if err != nil {
		return err
	}
	if job.GetState() != pb.JobState_JOB_STATE_SUCCEEDED {
		return &JobError{job}
	}
	if bytes, raw := into.(*[]byte); raw {
		*bytes = job.GetResult()
		return nil
	}
	if into == nil || len(job.GetResult()) == 0 {
		return nil
	}
	return json.Unmarshal(job.GetResult(), into)
}

// Cancel asks for the job's end; a running one ends by its handler.
func (j *Job) Cancel(ctx context.Context, reason string) (*pb.Job, error) {
	return call(ctx, 1, callTimeout, func(ctx context.Context) (*pb.Job, error) {
		return j.client.jobs.CancelJob(ctx, &pb.CancelJobRequest{Id: j.ID, Reason: reason})
	})
}

// Watch gives the job's events, from what it is now to its end.
func (j *Job) Watch(ctx context.Context) iter.Seq2[*pb.JobEvent, error] {
	return func(yield func(*pb.JobEvent, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := j.client.jobs.WatchJobs(ctx, &pb.WatchJobsRequest{JobId: j.ID})
		for err == nil {
			var event *pb.JobEvent
			if event, err = stream.Recv(); err == nil && !yield(event, nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(nil, fromRPC(err))
		}
	}
}

// call repeats what was answered UNAVAILABLE, with growing pauses.
func call[Response any](ctx context.Context, attempts int, timeout time.Duration,
	do func(context.Context) (Response, error)) (Response, error) {
	pause := 200 * time.Millisecond
	for attempt := 1; ; attempt++ {
		one := metadata.AppendToOutgoingContext(ctx, "millrace-receive-bytes-max", fmt.Sprint(receiveBytes))
		cancel := context.CancelFunc(func() {})
		if _, has := ctx.Deadline(); !has {
			one, cancel = context.WithTimeout(one, timeout)
		}
		response, err := do(one)
		cancel()
		if err == nil {
			return response, nil
		}
		if status.Code(err) != codes.Unavailable || attempt == attempts {
			return response, fromRPC(err)
		}
		select {
		case <-ctx.Done():
			return response, fromRPC(status.FromContextError(ctx.Err()).Err())
		case <-time.After(mrand.N(pause)):
		}
		pause = min(2*pause, 5*time.Second)
	}
}

func stateName(state pb.JobState) string { return strings.TrimPrefix(state.String(), "JOB_STATE_") }
