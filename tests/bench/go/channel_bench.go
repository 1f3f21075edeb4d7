// Channels and select; the twin of runtime/channel_bench.cc.
package main

import "sync"

func init() {
	register("pingpong_unbuffered", pingpongUnbuffered)
	for _, one := range []struct {
		name                           string
		producers, consumers, capacity int
	}{
		{"chan_p1_c1_cap128", 1, 1, 128},
		{"chan_p4_c4_cap128", 4, 4, 128},
		{"chan_p4_c4_cap1", 4, 4, 1},
		{"chan_p4_c4_cap0", 4, 4, 0},
		{"chan_p1_c100_cap1024", 1, 100, 1024},
	} {
		register(one.name, func(b *B) { produceConsume(b, one.producers, one.consumers, one.capacity) })
	}
	register("select_2chan", select2chan)
	register("prime_sieve_2000", primeSieve2000)
}

// What is received goes here, so that the compiler cannot leave the receiving out.
var sink int

func pingpongUnbuffered(b *B) {
	ping, pong := make(chan int), make(chan int)
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		defer done.Done()
		for value := range ping {
			pong <- value
		}
	}()
	b.Start()
	for range b.N {
		ping <- 1
		sink = <-pong
	}
	b.Stop()
	close(ping)
	done.Wait()
	b.Items = b.N
}

func produceConsume(b *B, producers, consumers, capacity int) {
	const values = 100_000
	b.Start()
	for range b.N {
		channel := make(chan int, capacity)
		var sent, received sync.WaitGroup
		for range producers {
			sent.Add(1)
			go func() {
				defer sent.Done()
				for i := range values / producers {
					channel <- i
				}
			}()
		}
		for range consumers {
			received.Add(1)
			go func() {
				defer received.Done()
				for range channel {
				}
			}()
		}
		sent.Wait()
		close(channel)
		received.Wait()
	}
	b.Stop()
	b.Items = b.N * (values / producers) * producers
}

func select2chan(b *B) {
	left, right := make(chan int), make(chan int)
	stop := make(chan struct{})
	var producers sync.WaitGroup
	for _, channel := range []chan int{left, right} {
		producers.Add(1)
		go func() {
			defer producers.Done()
			for {
				select {
				case channel <- 1:
				case <-stop:
					return
				}
			}
		}()
	}
	b.Start()
	for range b.N {
		select {
		case value := <-left:
			sink = value
		case value := <-right:
			sink = value
		}
	}
	b.Stop()
	close(stop)
	producers.Wait()
	b.Items = b.N
}

func primeSieve2000(b *B) {
	const primes = 2000
	b.Start()
	for range b.N {
		var filters sync.WaitGroup
		// A channel that is closed by its receiver ends its sender, which Go tells by a panic; ours by a result of the send.
		hangUp := func(in chan int) {
			if recover() != nil && in != nil {
				close(in)
			}
			filters.Done()
		}
		out := make(chan int)
		filters.Add(1)
		go func(out chan int) {
			defer hangUp(nil)
			for n := 2; ; n++ {
				out <- n
			}
		}(out)
		prime := 0
		for range primes {
			in := out
			prime = <-in
			out = make(chan int)
			filters.Add(1)
			go func(in, out chan int, prime int) {
				defer hangUp(in)
				for n := range in {
					if n%prime != 0 {
						out <- n
					}
				}
			}(in, out, prime)
		}
		close(out)
		filters.Wait()
		b.Check(prime == 17389, "the 2000th prime is 17389")
	}
	b.Stop()
	b.Items = b.N
}
