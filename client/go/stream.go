package millrace

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "millrace/v1"
)

const requestBytes = 1 << 20

// session is one stream. Guarded by the worker's mutex.
type session struct {
	client       pb.WorkerServiceClient
	cancel       context.CancelFunc
	received     int64
	granted      int64
	beats        int64
	welcome      bool
	idle         bool // It held nothing when the daemon was heard of last. Nothing comes but with its words.
	saidDraining bool
	interval     time.Duration
	lastWord     time.Time
	lastBeat     time.Time
}

// period is from one heartbeat to the next. Whoever holds nothing has no lease to keep alive: a third of them do.
func (s *session) period() time.Duration {
	if s.idle {
		return 3 * s.interval
	}
	return s.interval
}

// timeOf: whatever a daemon says, there is no overflow in what is computed with it.
func timeOf(duration *durationpb.Duration) time.Duration {
	return min(max(duration.AsDuration(), 0), 31*24*time.Hour)
}

func (w *Worker) hello() *pb.WorkRequest {
	hello := &pb.WorkerHello{Worker: w.options.Name, InstanceKey: w.key, Sdk: "go/0.1.0", BuildId: w.options.BuildID,
		Slots: int32(w.options.Slots), Labels: w.options.Labels, ProtocolMin: 1, ProtocolMax: 1,
		Capabilities: []string{"payload_ref"}}
	for kind, h := range w.handlers {
		offer := &pb.KindOffer{Kind: kind, Slots: int32(h.Slots), AtOnceMax: int32(h.AtOnceMax)}
		if h.BeatWithin != 0 {
			offer.BeatWithin = durationpb.New(h.BeatWithin)
		}
		hello.Kinds = append(hello.Kinds, offer)
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
	s := &session{client: client, cancel: cancel, interval: 5 * time.Second, lastWord: time.Now(), lastBeat: time.Now()}
	w.current = s
	w.outbox = &pb.WorkRequest{}
	w.closeOutputs()
	// Ends that were not acknowledged are told again, and checkpoints, which are not acknowledged.
	w.toTell, w.toSave = nil, nil
	w.sent = w.composed
	for _, attempt := range w.held {
		if attempt.saved != nil {
			w.toSave = append(w.toSave, attempt)
		}
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
		w.mu.Lock()
		w.sent = w.composed
		w.changed.Broadcast()
		w.mu.Unlock()
		if request.GetGoodbye() {
			_ = stream.CloseSend()
			return
		}
		for request = nil; request == nil; {
			w.mu.Lock()
			if request = w.compose(s); request != nil {
				w.composed++
			}
			beat := time.Until(s.lastBeat.Add(s.period()))
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
		size := 0
		// Before any end: what an attempt saved is kept only while it is the worker's.
		for ; len(w.toSave) > 0 && size < requestBytes; w.toSave = w.toSave[1:] {
			if attempt := w.toSave[0]; !attempt.dropped {
				request.Outputs = append(request.Outputs,
					&pb.AttemptOutput{Ref: attempt.lease.GetRef(), Checkpoint: attempt.saved})
				size += len(attempt.saved)
			}
		}
		for ; len(w.toTell) > 0 && size < requestBytes; w.toTell = w.toTell[1:] {
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
		if len(w.toTell) > 0 || len(w.toSave) > 0 {
			w.poke()
		}
	}
	if now := time.Now(); now.Sub(s.lastBeat) >= s.period() {
		s.lastBeat = now
		s.beats++
		request.Heartbeat = &pb.WorkerHeartbeat{Sequence: s.beats}
		if s.welcome && s.beats%int64(6*s.interval/s.period()) == 0 { // Once in a lease.
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
		s.interval = max(timeOf(welcome.GetHeartbeatInterval()), 10*time.Millisecond)
		w.lease = timeOf(welcome.GetLease())
		w.id, w.drained = welcome.GetWorkerId(), false // A drain that holds is said again.
		for _, ref := range welcome.GetLost() {
			w.dropRef(ref)
		}
		w.daemon = daemonOf(welcome)
		for _, words := range w.daemon.warnings(w.handlers) {
			w.options.Logger.Warn(words)
		}
		if len(w.toSave) > 0 && !w.daemon.keepsCheckpoints() {
			w.options.Logger.Warn("checkpoints are lost", "jobs", len(w.toSave), "error", w.daemon.checkpointError())
			w.toSave = nil
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
		if refused.GetReason() == "LEASE_LOST" {
			w.dropRef(refused.GetRef())
		} else {
			w.options.Logger.Warn(refused.GetMessage(), "job", refused.GetRef().GetJobId())
		}
	}
	for _, lease := range response.GetLeases() {
		if w.saidGoodbye {
			break // They crossed it, and the daemon gives them to others.
		}
		slots := int64(max(w.handlers[lease.GetKind()].Slots, 1))
		if w.daemon.knowsCosts() {
			s.received += slots
		} else {
			s.received++
		}
		if w.held[keyOf(lease.GetRef())] != nil {
			continue // A daemon that is not broken gives each lease once.
		}
		ctx, cancel := context.WithCancel(context.Background())
		attempt := &Attempt{worker: w, lease: lease, slots: slots, cancel: cancel}
		attempt.unread = lease.GetPayloadBytes() > 0 && len(lease.GetPayload()) == 0
		w.busy += slots
		w.runs[lease.GetKind()]++
		w.held[keyOf(lease.GetRef())] = attempt
		w.outbox.Accepted = append(w.outbox.Accepted, lease.GetRef())
		running.Add(1)
		go func() {
			defer running.Done()
			w.run(context.WithValue(ctx, attemptKey{}, attempt), attempt)
		}()
	}
	// It may drop attempts later, because nobody speaks with it: it is no more patient for that.
	s.idle = s.welcome && len(w.held) == 0
	switch response.GetDrain().GetWhy() {
	case pb.WorkerDrain_WHY_AGE:
		s.cancel() // It goes on at once with another stream.
	case pb.WorkerDrain_WHY_OPERATOR:
		w.drained = true
	case pb.WorkerDrain_WHY_RESUMED:
		w.drained = false
	}
	w.poke()
}
