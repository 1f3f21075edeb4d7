package millrace

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "millrace/v1"
)

const (
	pauseLeast = 200 * time.Millisecond
	pauseMost  = 30 * time.Second
)

// RawHandler runs a job: payload and result are bytes.
type RawHandler func(ctx context.Context, payload []byte) ([]byte, error)

// WorkerOptions: all may be left out.
type WorkerOptions struct {
	Name         string            // For people, and the label `worker`. Empty: HOST/PID.
	Slots        int               // For attempts at once, each of which takes one unless its kind's do more. 0: one.
	Labels       map[string]string // What jobs may require or prefer.
	BuildID      string            // Of this program: the label `build`.
	DrainTimeout time.Duration     // How long running handlers may take after a stop. 0: 30 s.
	Logger       *slog.Logger      // nil: slog's default.
}

// KindOptions say more of a kind than what runs its jobs.
type KindOptions struct {
	Slots     int // What an attempt takes of the worker's slots. 0: one.
	AtOnceMax int // The worker is given so many attempts of the kind at once. 0: as many as there are slots for.
	// An attempt that shows nothing (progress, log, checkpoint) for so long is stopped, as one that takes longer than its
	// run timeout. 0: it may be silent.
	BeatWithin time.Duration
}

type kindHandler struct {
	run RawHandler
	KindOptions
}

// Worker takes jobs from a daemon and runs them, each in a goroutine, in Slots at a time.
//
// Run connects, and again whenever the connection is lost, for ever. What runs meanwhile goes on, and its end is told
// until the daemon has written it down. Heartbeats come from a goroutine of their own.
type Worker struct {
	address  string
	options  WorkerOptions
	key      []byte
	handlers map[string]kindHandler
	ran      atomic.Bool

	mu      sync.Mutex
	changed *sync.Cond    // For handlers that wait for room in the log.
	wake    chan struct{} // For the writer: there is something to say.

	held    map[refKey]*Attempt
	toTell  []*Attempt
	toSave  []*Attempt // Their checkpoints are new.
	outbox  *pb.WorkRequest
	shown   []*Attempt
	logged  int
	busy    int64            // Slots of what handlers have not returned from.
	runs    map[string]int64 // Of the same, how many of each kind.
	daemon  daemon           // The one that said welcome last.
	current *session
	id      string
	drained bool

	// Of all streams: how many requests were made, and how many of them the connection has taken or has been lost with.
	composed, sent int64

	lease                         time.Duration
	lastContact                   time.Time
	everWelcome                   bool
	draining, giveUp, saidGoodbye bool
}

func NewWorker(address string, options WorkerOptions) *Worker {
	if options.Name == "" {
		host, _ := os.Hostname()
		options.Name = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	if options.Slots == 0 {
		options.Slots = 1
	}
	if options.DrainTimeout == 0 {
		options.DrainTimeout = 30 * time.Second
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	w := &Worker{address: address, options: options, key: make([]byte, 16), handlers: map[string]kindHandler{},
		wake: make(chan struct{}, 1), held: map[refKey]*Attempt{}, outbox: &pb.WorkRequest{}, runs: map[string]int64{}}
	w.changed = sync.NewCond(&w.mu)
	_, _ = rand.Read(w.key)
	return w
}

// HandleRaw says what runs the jobs of a kind; before Run.
func (w *Worker) HandleRaw(kind string, handler RawHandler, options ...KindOptions) {
	h := kindHandler{run: handler}
	if len(options) > 0 {
		h.KindOptions = options[0]
	}
	w.handlers[kind] = h
}

// Handle is HandleRaw with arguments and result as JSON. A payload that does not fit is a failure that is not retried.
func Handle[Args, Result any](w *Worker, kind string, handler func(context.Context, Args) (Result, error),
	options ...KindOptions) {
	w.HandleRaw(kind, func(ctx context.Context, payload []byte) ([]byte, error) {
		var args Args
		if len(payload) > 0 {
			decoder := json.NewDecoder(strings.NewReader(string(payload)))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&args); err != nil {
				return nil, DoNotRetry(fmt.Errorf("the payload does not fit: %w", err))
			}
		}
		result, err := handler(ctx, args)
		if err != nil {
			return nil, err
		}
		return json.Marshal(result)
	}, options...)
}

// Healthy: the daemon has welcomed this worker, and was heard of within an interval of the last
// heartbeat.
func (w *Worker) Healthy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.current != nil && w.current.welcome && time.Since(w.current.lastWord) < w.current.period()+w.current.interval
}

// ID is how operators call this worker, once the daemon has welcomed it.
func (w *Worker) ID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.id
}

// Drained: an operator has drained it. It goes on with what it has, and gets no more until it is resumed.
func (w *Worker) Drained() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.drained
}

// Run, once, takes jobs until ctx is done; it then lets running handlers end, for DrainTimeout at most, gives back the rest,
// and returns nil. *Error: what the daemon holds against this worker, before it was ever welcome.
func (w *Worker) Run(ctx context.Context) error {
	if w.ran.Swap(true) {
		return errors.New("a Worker runs once; make another one")
	}
	over, end := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Add(1)
	go func() {
		defer running.Done()
		w.watch(ctx, over)
	}()
	err := w.connect(&running)
	end()
	w.mu.Lock()
	for _, attempt := range w.held {
		w.drop(attempt)
	}
	w.mu.Unlock()
	running.Wait()
	return err
}

type refKey struct {
	job   string
	token uint64
}

func keyOf(ref *pb.AttemptRef) refKey { return refKey{ref.GetJobId(), ref.GetToken()} }

// ---- Under the mutex

func (w *Worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Worker) outputOf(a *Attempt) *pb.AttemptOutput {
	if a.dropped || a.end != nil {
		return nil
	}
	if a.output == nil {
		a.output = &pb.AttemptOutput{Ref: a.lease.GetRef()}
		w.outbox.Outputs = append(w.outbox.Outputs, a.output)
		w.shown = append(w.shown, a)
		w.poke()
	}
	return a.output
}

func (w *Worker) closeOutputs() {
	for _, attempt := range w.shown {
		attempt.output = nil
	}
	w.shown, w.logged = nil, 0
	w.changed.Broadcast()
}

func (w *Worker) drop(a *Attempt) {
	delete(w.held, keyOf(a.lease.GetRef()))
	a.dropped = true
	a.cancel()
	w.changed.Broadcast()
	w.poke()
}

func (w *Worker) dropRef(ref *pb.AttemptRef) {
	if attempt := w.held[keyOf(ref)]; attempt != nil {
		w.drop(attempt)
	}
}

func (w *Worker) grant(s *session) int64 {
	if w.draining {
		return 0
	}
	free := int64(w.options.Slots) - w.busy
	if !w.daemon.knowsCosts() {
		free = w.grantSafely(free)
	}
	return s.received + free
}

func (w *Worker) goodbyeIsDue() bool {
	told := len(w.toTell) == 0 && len(w.toSave) == 0
	return w.draining && !w.saidGoodbye && (len(w.held) == 0 || (w.giveUp && told))
}

// ---- Handlers

func (w *Worker) run(ctx context.Context, attempt *Attempt) {
	end := &pb.AttemptEnd{Ref: attempt.lease.GetRef()}
	// Deferred, as a handler may end its goroutine.
	var result []byte
	err := errors.New("the handler did not return")
	defer func() {
		if err == nil && len(result) > resultBytes {
			err = w.writeResult(ctx, attempt, result)
		}
		attempt.cancel()
		if err == nil {
			end.Outcome = &pb.AttemptEnd_Result{Result: result}
		} else {
			o := outcomeOf(err)
			failure := &pb.AttemptFailure{Error: text(o.Error()), DoNotRetry: o.final}
			if o.after != nil {
				failure.RetryAfter = durationpb.New(max(*o.after, 0))
			}
			end.Outcome = &pb.AttemptEnd_Failure{Failure: failure}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.busy -= attempt.slots
		w.runs[attempt.lease.GetKind()]--
		// What did not begin before the end of a drain has not failed: the goodbye gives it back.
		if !attempt.dropped && !(w.giveUp && attempt.unread) {
			attempt.end = end
			w.toTell = append(w.toTell, attempt)
		}
		w.poke()
	}()
	result, err = w.call(ctx, attempt)
}

func (w *Worker) call(ctx context.Context, attempt *Attempt) (result []byte, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = fmt.Errorf("the handler panicked: %v", recovered)
			w.options.Logger.Error("a handler panicked", "job", attempt.JobID(), "panic", recovered,
				"stack", string(debug.Stack()))
		}
		if err != nil {
			err = describe(err)
		}
	}()
	payload := attempt.lease.GetPayload()
	if attempt.unread {
		if payload, err = w.readPayload(ctx, attempt); err != nil {
			return nil, err
		}
		attempt.unread = false
	}
	handler, known := w.handlers[attempt.lease.GetKind()]
	if !known { // A daemon that is not broken gives what was offered.
		return nil, fmt.Errorf("this worker has no handler for the kind %q", attempt.lease.GetKind())
	}
	return handler.run(ctx, payload)
}

// ---- All of it

func (w *Worker) connect(running *sync.WaitGroup) error {
	var conn *grpc.ClientConn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	pause := pauseLeast
	for failures := 0; ; failures++ {
		if failures%3 == 0 { // A connection that does not recover is not asked for ever.
			if conn != nil {
				_ = conn.Close()
			}
			var err error
			// It is tried again as soon as the worker tries: its leases wait.
			conn, err = grpc.NewClient(w.address, grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithNoProxy(), grpc.WithConnectParams(grpc.ConnectParams{
					Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, MaxDelay: time.Second},
					MinConnectTimeout: 5 * time.Second}))
			if err != nil {
				return err
			}
		}
		s, err := w.runStream(pb.NewWorkerServiceClient(conn), running)
		w.mu.Lock()
		done, everWelcome := w.saidGoodbye, w.everWelcome
		if s.welcome {
			pause, failures = pauseLeast, 0
		}
		w.mu.Unlock()
		if done {
			return nil
		}
		switch status.Code(err) {
		case codes.OK, codes.Unavailable, codes.Canceled, codes.DeadlineExceeded, codes.ResourceExhausted:
		default:
			if !everWelcome {
				return fromRPC(err)
			}
		}
		w.options.Logger.Info("no connection to the daemon", "address", w.address, "error", err)
		for until := time.Now().Add(pause/4 + mrand.N(pause)); time.Now().Before(until); {
			w.mu.Lock()
			done = w.draining && (len(w.held) == 0 || w.giveUp)
			w.mu.Unlock()
			if done {
				return nil
			}
			time.Sleep(20 * time.Millisecond)
		}
		pause = min(2*pause, pauseMost)
	}
}

// watch sees to what takes too long: a connection on which nothing comes, handlers after a stop, and attempts that
// others run by now, since no daemon was heard of for so long.
func (w *Worker) watch(stop, over context.Context) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	var drainUntil time.Time
	stopping := false
	stopped := stop.Done()
	for {
		select {
		case <-over.Done():
			return
		case <-stopped:
			stopped, stopping = nil, true
			drainUntil = time.Now().Add(w.options.DrainTimeout)
		case <-ticker.C:
		}
		w.mu.Lock()
		if stopping && !w.draining {
			w.draining = true
			w.poke()
		}
		if s := w.current; s != nil && time.Since(s.lastWord) > s.period()+2*s.interval {
			s.cancel()
		}
		if w.draining && !w.giveUp && time.Now().After(drainUntil) {
			w.giveUp = true
			for _, attempt := range w.held {
				attempt.cancel()
			}
			w.poke()
		}
		if w.lease > 0 && time.Since(w.lastContact) >= w.lease-min(5*time.Second, w.lease/2) {
			// An end is told whenever a daemon is there; if it is late, it changes nothing.
			for _, attempt := range w.held {
				if attempt.end == nil {
					w.drop(attempt)
				}
			}
		}
		w.mu.Unlock()
	}
}
