package millrace

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mrand "math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "millrace/v1"
)

const (
	requestBytes = 1 << 20
	resultBytes  = 1 << 20
	textBytes    = 4096
	logBytes     = 256 << 10
	pauseLeast   = 200 * time.Millisecond
	pauseMost    = 30 * time.Second
)

// RawHandler runs a job: payload and result are bytes.
type RawHandler func(ctx context.Context, payload []byte) ([]byte, error)

// WorkerOptions: all may be left out.
type WorkerOptions struct {
	Name         string        // For people. Empty: HOST/PID.
	Slots        int           // Attempts at once. 0: one.
	DrainTimeout time.Duration // How long running handlers may take after a stop. 0: 30 s.
	Logger       *slog.Logger  // nil: slog's default.
}

// Worker takes jobs from a daemon and runs them, each in a goroutine, Slots at a time.
//
// Run connects, and again whenever the connection is lost, for ever. What runs meanwhile goes on, and its end is told
// until the daemon has written it down. Heartbeats come from a goroutine of their own.
type Worker struct {
	address  string
	options  WorkerOptions
	key      []byte
	handlers map[string]RawHandler
	ran      atomic.Bool

	mu      sync.Mutex
	changed *sync.Cond    // For handlers that wait for room in the log.
	wake    chan struct{} // For the writer: there is something to say.

	held    map[refKey]*Attempt
	toTell  []*Attempt
	outbox  *pb.WorkRequest
	shown   []*Attempt
	logged  int
	busy    int
	current *session

	lease                         time.Duration
	lastContact                   time.Time
	everWelcome                   bool
	draining, giveUp, saidGoodbye bool
}

// session is one stream. Guarded by the worker's mutex.
type session struct {
	cancel       context.CancelFunc
	received     int64
	granted      int64
	beats        int64
	welcome      bool
	saidDraining bool
	interval     time.Duration
	lastWord     time.Time
	lastBeat     time.Time
}

type refKey struct {
	job   string
	token uint64
}

func keyOf(ref *pb.AttemptRef) refKey { return refKey{ref.GetJobId(), ref.GetToken()} }

// Attempt is one attempt, for its handler; FromContext has it. Goroutines may share it until the handler has returned.
type Attempt struct {
	worker  *Worker
	lease   *pb.Lease
	cancel  context.CancelFunc
	end     *pb.AttemptEnd
	output  *pb.AttemptOutput
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
	w := &Worker{address: address, options: options, key: make([]byte, 16), handlers: map[string]RawHandler{},
		wake: make(chan struct{}, 1), held: map[refKey]*Attempt{}, outbox: &pb.WorkRequest{}}
	w.changed = sync.NewCond(&w.mu)
	_, _ = rand.Read(w.key)
	return w
}

// HandleRaw says what runs the jobs of a kind; before Run.
func (w *Worker) HandleRaw(kind string, handler RawHandler) { w.handlers[kind] = handler }

// Handle is HandleRaw with arguments and result as JSON. A payload that does not fit is a failure that is not retried.
func Handle[Args, Result any](w *Worker, kind string, handler func(context.Context, Args) (Result, error)) {
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
	})
}

// Healthy: the daemon has welcomed this worker, and was heard of within two heartbeats.
func (w *Worker) Healthy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.current != nil && w.current.welcome && time.Since(w.current.lastWord) < 2*w.current.interval
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
	return s.received + int64(w.options.Slots-w.busy)
}

func (w *Worker) goodbyeIsDue() bool {
	return w.draining && !w.saidGoodbye && (len(w.held) == 0 || (w.giveUp && len(w.toTell) == 0))
}

// ---- One stream

func (w *Worker) hello() *pb.WorkRequest {
	hello := &pb.WorkerHello{Worker: w.options.Name, InstanceKey: w.key, Sdk: "go/0.1.0", Slots: int32(w.options.Slots)}
	for kind := range w.handlers {
		hello.Kinds = append(hello.Kinds, &pb.KindOffer{Kind: kind})
	}
	for _, attempt := range w.held {
		state := pb.HeldAttempt_STATE_RUNNING
		if attempt.end != nil {
			state = pb.HeldAttempt_STATE_ENDED_UNACKED
		}
		hello.Held = append(hello.Held, &pb.HeldAttempt{Ref: attempt.lease.GetRef(), State: state})
	}
	return &pb.WorkRequest{Hello: hello}
}

func (w *Worker) runStream(client pb.WorkerServiceClient, running *sync.WaitGroup) (*session, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.mu.Lock()
	s := &session{cancel: cancel, interval: 5 * time.Second, lastWord: time.Now(), lastBeat: time.Now()}
	w.current = s
	w.outbox = &pb.WorkRequest{}
	w.closeOutputs()
	// Ends that were not acknowledged are told again.
	w.toTell = nil
	for _, attempt := range w.held {
		if attempt.end != nil {
			w.toTell = append(w.toTell, attempt)
		}
	}
	hello := w.hello()
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.current = nil
		w.mu.Unlock()
	}()

	stream, err := client.Work(ctx)
	if err != nil {
		return s, err
	}
	var writer sync.WaitGroup
	writer.Add(1)
	go func() {
		defer writer.Done()
		w.write(ctx, s, stream, hello)
	}()
	for err == nil {
		var response *pb.WorkResponse
		if response, err = stream.Recv(); err == nil {
			w.hear(s, response, running)
		}
	}
	cancel()
	writer.Wait()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return s, err
}

func (w *Worker) write(ctx context.Context, s *session, stream pb.WorkerService_WorkClient, request *pb.WorkRequest) {
	for {
		if stream.Send(request) != nil {
			return // Recv tells why.
		}
		if request.GetGoodbye() {
			_ = stream.CloseSend()
			return
		}
		for request = nil; request == nil; {
			w.mu.Lock()
			request = w.compose(s)
			beat := time.Until(s.lastBeat.Add(s.interval))
			w.mu.Unlock()
			if request != nil {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-w.wake:
			case <-time.After(beat):
			}
		}
	}
}

// compose gives what there is to say; nil: nothing.
func (w *Worker) compose(s *session) *pb.WorkRequest {
	request := &pb.WorkRequest{}
	if s.welcome {
		request, w.outbox = w.outbox, request
		w.closeOutputs()
		for size := 0; len(w.toTell) > 0 && size < requestBytes; w.toTell = w.toTell[1:] {
			if attempt := w.toTell[0]; !attempt.dropped {
				request.Ended = append(request.Ended, attempt.end)
				size += proto.Size(attempt.end)
			}
		}
		if granted := w.grant(s); granted > s.granted {
			s.granted = granted
			request.Credit = &pb.WorkerCredit{SlotsGrantedTotal: granted}
		}
		if w.draining && !s.saidDraining {
			s.saidDraining, request.Draining = true, true
		}
		if w.goodbyeIsDue() {
			w.saidGoodbye, request.Goodbye = true, true
		}
		if len(w.toTell) > 0 {
			w.poke()
		}
	}
	if now := time.Now(); now.Sub(s.lastBeat) >= s.interval {
		s.lastBeat = now
		s.beats++
		request.Heartbeat = &pb.WorkerHeartbeat{Sequence: s.beats}
		if s.welcome && s.beats%6 == 0 {
			request.Heartbeat.Held = &pb.HeldList{}
			for _, attempt := range w.held {
				// Ends that are on their way are known; those that are not told yet are held still.
				if attempt.end == nil || slices.Contains(w.toTell, attempt) {
					request.Heartbeat.Held.Refs = append(request.Heartbeat.Held.Refs, attempt.lease.GetRef())
				}
			}
		}
	}
	if proto.Size(request) == 0 {
		return nil
	}
	return request
}

func (w *Worker) hear(s *session, response *pb.WorkResponse, running *sync.WaitGroup) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.lastWord = time.Now()
	w.lastContact = s.lastWord
	if welcome := response.GetWelcome(); welcome != nil {
		s.welcome, w.everWelcome = true, true
		s.interval = max(welcome.GetHeartbeatInterval().AsDuration(), 10*time.Millisecond)
		w.lease = welcome.GetLease().AsDuration()
		for _, ref := range welcome.GetLost() {
			w.dropRef(ref)
		}
	}
	for _, stop := range response.GetStops() {
		if attempt := w.held[keyOf(stop.GetRef())]; attempt != nil {
			attempt.cancel()
		}
	}
	for _, stop := range response.GetRevoked() {
		w.dropRef(stop.GetRef())
	}
	for _, ref := range response.GetAcked() {
		delete(w.held, keyOf(ref))
	}
	for _, refused := range response.GetErrors() {
		w.dropRef(refused.GetRef())
	}
	for _, lease := range response.GetLeases() {
		if w.saidGoodbye {
			break // They crossed it, and the daemon gives them to others.
		}
		s.received++
		w.busy++
		ctx, cancel := context.WithCancel(context.Background())
		attempt := &Attempt{worker: w, lease: lease, cancel: cancel}
		w.held[keyOf(lease.GetRef())] = attempt
		w.outbox.Accepted = append(w.outbox.Accepted, lease.GetRef())
		running.Add(1)
		go func() {
			defer running.Done()
			w.run(context.WithValue(ctx, attemptKey{}, attempt), attempt)
		}()
	}
	if response.GetDrain().GetWhy() == pb.WorkerDrain_WHY_AGE {
		s.cancel() // It goes on at once with another stream.
	}
	w.poke()
}

// ---- Handlers

func (w *Worker) run(ctx context.Context, attempt *Attempt) {
	end := &pb.AttemptEnd{Ref: attempt.lease.GetRef()}
	// Deferred, as a handler may end its goroutine.
	var result []byte
	err := errors.New("the handler did not return")
	defer func() {
		attempt.cancel()
		if err == nil && len(result) > resultBytes {
			err = DoNotRetry(fmt.Errorf(
				"the result has %d bytes, and 1 MiB is the limit; store it elsewhere and return a reference", len(result)))
		}
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
		w.busy--
		if !attempt.dropped {
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
	return w.handlers[attempt.lease.GetKind()](ctx, attempt.lease.GetPayload())
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
		if s := w.current; s != nil && time.Since(s.lastWord) > 3*s.interval {
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

// text makes what handlers say fit for a proto: UTF-8, and not too long.
func text(s string) string { return strings.ToValidUTF8(s[:min(len(s), textBytes)], "?") }
