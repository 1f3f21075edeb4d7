// Goroutines themselves; the twin of runtime/fiber_bench.cc.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func init() {
	register("spawn_wait", spawnWait)
	register("yield_2fibers", yield2fibers)
	register("mutex_8fibers", mutex8fibers)
	register("skynet_1m", skynet1m)
	register("sleep_100k", sleep100k)
	registerOnce("park_1m", park1m)
}

func spawnWait(b *B) {
	const fibers = 1000
	b.Start()
	for range b.N {
		var done sync.WaitGroup
		done.Add(fibers)
		for range fibers {
			go func() { done.Done() }()
		}
		done.Wait()
	}
	b.Stop()
	b.Items = b.N * fibers
}

func yield2fibers(b *B) {
	const yields = 100_000
	b.Start()
	for range b.N {
		var done sync.WaitGroup
		for range 2 {
			done.Add(1)
			go func() {
				defer done.Done()
				for range yields {
					runtime.Gosched()
				}
			}()
		}
		done.Wait()
	}
	b.Stop()
	b.Items = b.N * 2 * yields
}

func mutex8fibers(b *B) {
	const sections = 50_000
	b.Start()
	for range b.N {
		var mutex sync.Mutex
		var done sync.WaitGroup
		count := 0
		for range 8 {
			done.Add(1)
			go func() {
				defer done.Done()
				for range sections {
					mutex.Lock()
					count++
					mutex.Unlock()
				}
			}()
		}
		done.Wait()
		b.Check(count == 8*sections, "the mutex let two in")
	}
	b.Stop()
	b.Items = b.N * 8 * sections
}

func skynet(parent chan int64, number, size int64) {
	if size == 1 {
		parent <- number
		return
	}
	children := make(chan int64, 10)
	for i := range int64(10) {
		go skynet(children, number+i*(size/10), size/10)
	}
	sum := int64(0)
	for range 10 {
		sum += <-children
	}
	parent <- sum
}

func skynet1m(b *B) {
	b.Start()
	for range b.N {
		root := make(chan int64, 1)
		go skynet(root, 0, 1_000_000)
		b.Check(<-root == 499_999_500_000, "wrong sum")
	}
	b.Stop()
	b.Items = b.N * 1_111_111
}

func sleep100k(b *B) {
	const fibers = 100_000
	b.Start()
	for range b.N {
		var done sync.WaitGroup
		for i := range fibers {
			done.Add(1)
			go func() {
				defer done.Done()
				time.Sleep(time.Duration(1+i%100) * time.Millisecond)
			}()
		}
		done.Wait()
	}
	b.Stop()
	b.Items = b.N * fibers
}

func residentBytes(b *B) int64 {
	text, err := os.ReadFile("/proc/self/statm")
	b.Check(err == nil, "/proc/self/statm cannot be read")
	var sizePages, residentPages int64
	fmt.Sscan(string(text), &sizePages, &residentPages)
	return residentPages * 4096
}

func park1m(b *B) {
	const fibers = 1_000_000
	b.Start()
	for range b.N {
		gate := make(chan struct{})
		var done sync.WaitGroup
		var started atomic.Int32
		before := residentBytes(b)
		for i := range fibers {
			done.Add(1)
			go func() {
				defer done.Done()
				started.Add(1)
				<-gate
			}()
			if i%1000 == 999 {
				runtime.Gosched()
			}
		}
		for started.Load() < fibers {
			runtime.Gosched()
		}
		b.Count("bytes_each", float64(residentBytes(b)-before)/fibers)
		close(gate)
		done.Wait()
	}
	b.Stop()
	b.Items = b.N * fibers
}
