// The benchmarks of tests/bench/runtime in Go: the same programs, the same sizes, the same definition of an operation.
//
//	go_bench [NAME]...        all without a name; one line each: NAME procs=2 ns=123.4 [COUNTER=VALUE]...
//
// ns is per item, as google-benchmark's items_per_second is in ours. compare_go.sh runs both, side by side.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// As google-benchmark's default: iterations are added until a run takes this long, and only that run counts.
const minTime = 500 * time.Millisecond

// B is what a benchmark sees of its run, as benchmark::State. Only what happens from Start to Stop is timed.
type B struct {
	N        int // Iterations to do.
	Items    int // Operations done in all iterations; 0: only the counters mean something.
	counters []string
	start    time.Time
	elapsed  time.Duration
}

func (b *B) Start() { b.start = time.Now() }
func (b *B) Stop()  { b.elapsed = time.Since(b.start) }

func (b *B) Count(name string, value float64) {
	b.counters = append(b.counters, fmt.Sprintf("%s=%.4g", name, value))
}

func (b *B) Check(good bool, what string) {
	if !good {
		fmt.Fprintln(os.Stderr, "go_bench:", what)
		os.Exit(1)
	}
}

type benchmark struct {
	name string
	once bool // One iteration: another would measure something else.
	run  func(*B)
}

var benchmarks []benchmark

func register(name string, run func(*B)) {
	benchmarks = append(benchmarks, benchmark{name, false, run})
}
func registerOnce(name string, run func(*B)) {
	benchmarks = append(benchmarks, benchmark{name, true, run})
}

func measure(one benchmark) {
	b := &B{N: 1}
	one.run(b)
	for !one.once && b.elapsed < minTime {
		// 1.4: so that the next run is long enough. At most tenfold, since a short run foretells little.
		wanted := 1.4 * float64(minTime) / float64(b.elapsed+1)
		b = &B{N: int(float64(b.N)*min(wanted, 10)) + 1}
		one.run(b)
	}
	fmt.Printf("%s procs=%d", one.name, runtime.GOMAXPROCS(0))
	if b.Items > 0 {
		fmt.Printf(" ns=%.6g", float64(b.elapsed.Nanoseconds())/float64(b.Items))
	}
	for _, counter := range b.counters {
		fmt.Printf(" %s", counter)
	}
	fmt.Println()
}

func main() {
	wanted := map[string]bool{}
	for _, name := range os.Args[1:] {
		wanted[name] = true
	}
	found := 0
	for _, one := range benchmarks {
		if len(wanted) == 0 || wanted[one.name] {
			measure(one)
			found++
		}
	}
	if found < len(wanted) {
		fmt.Fprintln(os.Stderr, "go_bench: no such benchmark among", os.Args[1:])
		os.Exit(2)
	}
}
