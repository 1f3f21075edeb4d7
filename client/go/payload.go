package millrace

import (
	"context"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"time"

	pb "millrace/v1"
)

const (
	readTimeout   = time.Minute // A connection on which nothing comes is not waited for longer.
	readPauseMost = 5 * time.Second
)

// readPayload reads a payload whose lease has only the size. It waits, also through an absence of the daemon, while the
// attempt is held.
func (w *Worker) readPayload(ctx context.Context, attempt *Attempt) ([]byte, error) {
	pause := time.Duration(0)
	for pauseMax := pauseLeast; ; {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		w.mu.Lock()
		s := w.current
		// A daemon that has not heard what this worker holds may take the attempt for lost.
		welcome := s != nil && s.welcome
		w.mu.Unlock()
		if !welcome {
			pause = 20 * time.Millisecond
			continue
		}
		payload, err := readAll(ctx, s.client, attempt.lease)
		if err == nil {
			return payload, nil
		}
		var refused *Error
		if errors.As(err, &refused) && refused.Reason == "LEASE_LOST" {
			w.mu.Lock()
			w.drop(attempt)
			w.mu.Unlock()
			return nil, err
		}
		if refused == nil || !refused.passes() {
			return nil, fmt.Errorf("the payload cannot be read: %w", err)
		}
		pause = pauseMax/4 + mrand.N(pauseMax)
		pauseMax = min(2*pauseMax, readPauseMost)
	}
}

func readAll(ctx context.Context, client pb.WorkerServiceClient, lease *pb.Lease) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(readTimeout, cancel)
	defer idle.Stop()
	stream, err := client.ReadPayload(ctx, &pb.ReadPayloadRequest{Ref: lease.GetRef()})
	payload := []byte{}
	for err == nil {
		var piece *pb.ReadPayloadResponse
		if piece, err = stream.Recv(); err == nil {
			payload = append(payload, piece.GetData()...)
			idle.Reset(readTimeout)
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, fromRPC(err)
	}
	if int64(len(payload)) != lease.GetPayloadBytes() {
		return nil, fmt.Errorf("it has %d bytes, and %d came", lease.GetPayloadBytes(), len(payload))
	}
	return payload, nil
}
