// A worker: counts words, four jobs at a time, until it is interrupted.
//
//	cd client/go && go run ./examples/worker 127.0.0.1:7070
//	millrace submit count-words --payload '{"text": "the quick brown fox"}' --wait
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"millrace"
)

type CountWords struct {
	Text       string `json:"text"`
	LongerThan int    `json:"longer_than"`
}

type Counted struct {
	Words   int    `json:"words"`
	Longest string `json:"longest"`
}

func countWords(ctx context.Context, args CountWords) (Counted, error) {
	var counted Counted
	for _, word := range strings.Fields(args.Text) {
		if len(word) > args.LongerThan {
			counted.Words++
		}
		if len(word) > len(counted.Longest) {
			counted.Longest = word
		}
	}
	millrace.FromContext(ctx).Log(fmt.Sprintf("counted %d bytes\n", len(args.Text)))
	return counted, nil
}

func main() {
	address := "127.0.0.1:7070"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	worker := millrace.NewWorker(address, millrace.WorkerOptions{Slots: 4})
	millrace.Handle(worker, "count-words", countWords)
	if err := worker.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
