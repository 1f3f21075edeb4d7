// What others do not suffer from fibers that never wait, or that block their thread; the twin of
// runtime/preempt_bench.cc.
package main

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func init() {
	registerOnce("preempt_wake", preemptWake)
	registerOnce("blocking_1000", blocking1000)
}

func preemptWake(b *B) {
	const ticks = 2000
	var stop atomic.Bool
	var hogs sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		hogs.Add(1)
		go func() {
			defer hogs.Done()
			for !stop.Load() {
			}
		}()
	}
	late := make([]float64, 0, ticks)
	start := time.Now()
	for tick := 1; tick <= ticks; tick++ {
		due := start.Add(time.Duration(tick) * time.Millisecond)
		if left := time.Until(due); left > 0 {
			time.Sleep(left)
		}
		late = append(late, float64(time.Since(due).Nanoseconds())/1e3)
	}
	stop.Store(true)
	hogs.Wait()
	slices.Sort(late)
	b.Count("p50_us", late[ticks/2])
	b.Count("p99_us", late[ticks*99/100])
}

func blocking1000(b *B) {
	const blocked, roundTrips = 1000, 100_000
	// Go raises the limit of open files by itself. A syscall.Read blocks the thread, unlike os.File.Read.
	var pipes [blocked][2]int
	for i := range pipes {
		b.Check(syscall.Pipe(pipes[i][:]) == nil, "no more pipes; raise ulimit -n")
	}
	ping, pong := make(chan int), make(chan int)
	var readers, pair sync.WaitGroup

	start := time.Now()
	for i := range pipes {
		readers.Add(1)
		go func() {
			defer readers.Done()
			var one [1]byte
			for {
				if _, err := syscall.Read(pipes[i][0], one[:]); err != syscall.EINTR {
					return
				}
			}
		}()
	}
	pair.Add(1)
	go func() {
		defer pair.Done()
		for value := range ping {
			pong <- value
		}
	}()
	first := time.Now()
	for range roundTrips {
		ping <- 1
		sink = <-pong
	}
	end := time.Now()
	close(ping)
	pair.Wait()
	b.Count("pingpong_ns", float64(end.Sub(first).Nanoseconds())/roundTrips)
	b.Count("total_ms", float64(end.Sub(start).Microseconds())/1e3)

	for i := range pipes {
		syscall.Close(pipes[i][1])
	}
	readers.Wait()
	for i := range pipes {
		syscall.Close(pipes[i][0])
	}
}
