// How often a worker beats, with daemons that answer as the test wants.
package tests

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millrace"
	pb "millrace/v1"
)

// beating starts a worker, and a daemon of its own, which counts its heartbeats.
func (f *fixture) beating(handler millrace.RawHandler) (*scripted, *atomic.Int64) {
	beats := &atomic.Int64{}
	d := &scripted{heartbeat: 100 * time.Millisecond}
	d.hear = func(request *pb.WorkRequest) error {
		if request.GetHeartbeat() != nil {
			beats.Add(1)
		}
		return nil
	}
	d.serve(f.T)
	worker := millrace.NewWorker(d.address, millrace.WorkerOptions{})
	worker.HandleRaw("wait", handler)
	f.start(worker)
	return d, beats
}

func TestFewerHeartbeatsDoWhileAWorkerHoldsNothing(t *testing.T) {
	f := begin(t)
	var began atomic.Bool
	wait := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(wait) })
	handler := func(context.Context, []byte) ([]byte, error) {
		began.Store(true)
		<-wait
		return nil, nil
	}
	_, idle := f.beating(handler)
	d, busy := f.beating(handler)
	t.Cleanup(letGo)

	// The heartbeats of both from now on. However slow the machine is, it is so for both of them.
	compare := func(asExpected func(ofIdle, ofBusy int64) bool) {
		t.Helper()
		idleBefore, busyBefore := idle.Load(), busy.Load()
		f.eventually(func() bool { return asExpected(idle.Load()-idleBefore, busy.Load()-busyBefore) })
	}
	compare(func(ofIdle, ofBusy int64) bool { return min(ofIdle, ofBusy) > 1 })
	lease := &pb.Lease{Kind: "wait", Ref: &pb.AttemptRef{JobId: "job 1", Token: 1}}
	f.eventually(func() bool { // Once more where the stream was just cut.
		_ = d.say(&pb.WorkResponse{Leases: []*pb.Lease{lease}})
		return began.Load()
	})
	compare(func(ofIdle, ofBusy int64) bool { return ofIdle >= 4 && 2*ofBusy >= 3*ofIdle })
	letGo()
	f.eventually(func() bool { return len(d.ends()) > 0 })
	compare(func(ofIdle, ofBusy int64) bool { return ofIdle >= 6 && 3*ofBusy <= 4*ofIdle })
}
