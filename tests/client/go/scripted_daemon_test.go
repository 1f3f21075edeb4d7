// A daemon that answers as each test wants.
package tests

import (
	"fmt"
	"maps"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "millrace/v1"
)

// scripted welcomes one worker, gives it a lease of each of the kinds when it comes first, acknowledges ends, and notes
// what it hears. The functions are optional.
type scripted struct {
	pb.UnimplementedWorkerServiceServer
	pb.UnimplementedJobServiceServer
	kinds       []string
	heartbeat   time.Duration
	resultBytes int64
	hear        func(*pb.WorkRequest) error // Cuts the stream.
	writeResult func(pb.WorkerService_WriteResultServer) error
	readResult  func(pb.JobService_ReadResultServer) error
	address     string

	mu     sync.Mutex
	stream pb.WorkerService_WorkServer // The newest.
	hellos []*pb.WorkerHello
	ended  map[string]*pb.AttemptEnd // By job: the first is "job 1".
	bye    bool
}

func (d *scripted) serve(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.address = listener.Addr().String()
	d.ended = map[string]*pb.AttemptEnd{}
	server := grpc.NewServer()
	pb.RegisterWorkerServiceServer(server, d)
	pb.RegisterJobServiceServer(server, d)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
}

func (d *scripted) ends() map[string]*pb.AttemptEnd {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.ended)
}

func (d *scripted) seen(condition func() bool) func() bool {
	return func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return condition()
	}
}

func (d *scripted) Work(stream pb.WorkerService_WorkServer) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			return nil // The worker has said all.
		}
		if d.hear != nil {
			if err := d.hear(request); err != nil {
				return err
			}
		}
		if err := d.answer(stream, request); err != nil {
			return err
		}
	}
}

// say is for what is no answer.
func (d *scripted) say(response *pb.WorkResponse) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stream.Send(response)
}

func (d *scripted) answer(stream pb.WorkerService_WorkServer, request *pb.WorkRequest) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	response := &pb.WorkResponse{}
	d.stream = stream
	if request.GetHello() != nil {
		response.Welcome = &pb.WorkerWelcome{HeartbeatInterval: durationpb.New(d.heartbeat),
			Lease: durationpb.New(time.Hour), Capabilities: []string{"payload_ref", "checkpoint", "costs"},
			ResultBytesMax: d.resultBytes}
		d.hellos = append(d.hellos, request.GetHello())
		for i := 0; len(d.hellos) == 1 && i < len(d.kinds); i++ {
			ref := &pb.AttemptRef{JobId: fmt.Sprintf("job %d", i+1), Token: uint64(i + 1)}
			response.Leases = append(response.Leases, &pb.Lease{Ref: ref, Kind: d.kinds[i]})
		}
	}
	for _, end := range request.GetEnded() {
		d.ended[end.GetRef().GetJobId()] = end
		response.Acked = append(response.Acked, end.GetRef())
	}
	d.bye = d.bye || request.GetGoodbye()
	return stream.Send(response)
}

func (d *scripted) WriteResult(stream pb.WorkerService_WriteResultServer) error {
	if err := d.writeResult(stream); err != nil {
		return err
	}
	return stream.SendAndClose(&pb.WriteResultResponse{})
}

func (d *scripted) ReadResult(_ *pb.ReadResultRequest, stream pb.JobService_ReadResultServer) error {
	return d.readResult(stream)
}

func refusal(code codes.Code, reason, words string) error {
	refused, err := status.New(code, words).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "millrace"})
	if err != nil {
		panic(err)
	}
	return refused.Err()
}
