package millrace

import (
	"context"

	pb "millrace/v1"
)

// ListWorkers gives all workers that are connected, or hold attempts and may come back; the oldest first. kind: only
// those that offer it; empty: all.
func (c *Client) ListWorkers(ctx context.Context, kind string) ([]*pb.Worker, error) {
	var workers []*pb.Worker
	for token := ""; ; {
		request := &pb.ListWorkersRequest{PageToken: token, Kind: kind}
		page, err := call(ctx, callAttempts, callTimeout, func(ctx context.Context) (*pb.ListWorkersResponse, error) {
			return c.workers.ListWorkers(ctx, request)
		})
		if err != nil {
			return nil, err
		}
		workers = append(workers, page.GetWorkers()...)
		if token = page.GetNextPageToken(); token == "" {
			return workers, nil
		}
	}
}

// GetWorker gives a worker, by its id or by a name that only one has, with the attempts that it holds.
func (c *Client) GetWorker(ctx context.Context, worker string) (*pb.Worker, error) {
	return call(ctx, callAttempts, callTimeout, func(ctx context.Context) (*pb.Worker, error) {
		return c.workers.GetWorker(ctx, &pb.GetWorkerRequest{Worker: worker})
	})
}

// DrainWorker has the worker go on with what it has, and get no more until it is resumed.
func (c *Client) DrainWorker(ctx context.Context, worker string) (*pb.Worker, error) {
	return call(ctx, callAttempts, callTimeout, func(ctx context.Context) (*pb.Worker, error) {
		return c.workers.DrainWorker(ctx, &pb.DrainWorkerRequest{Worker: worker})
	})
}

func (c *Client) ResumeWorker(ctx context.Context, worker string) (*pb.Worker, error) {
	return call(ctx, callAttempts, callTimeout, func(ctx context.Context) (*pb.Worker, error) {
		return c.workers.ResumeWorker(ctx, &pb.ResumeWorkerRequest{Worker: worker})
	})
}
