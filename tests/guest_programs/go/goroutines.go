// Goroutines and the collector: what Go's runtime asks of a kernel (threads by clone without a TLS argument, futexes,
// signals for preemption and nil pointers, address space reserved without rights, timers, pipes with epoll, children).
// What it prints depends on no time and no order. Built with GOARCH=386 CGO_ENABLED=0.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type node struct {
	left, right *node
	payload     [10]int
}

func grow(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: grow(depth - 1), right: grow(depth - 1)}
}

func (n *node) count() int {
	if n == nil {
		return 0
	}
	return 1 + n.left.count() + n.right.count()
}

// Prime numbers by a chain of goroutines.
func sieve(count int) (last int) {
	source := make(chan int)
	done := make(chan struct{})
	defer close(done)
	go func(to chan int) {
		for i := 2; ; i++ {
			select {
			case to <- i:
			case <-done:
				return
			}
		}
	}(source)
	for i := 0; i < count; i++ {
		last = <-source
		next := make(chan int)
		go func(from, to chan int, prime int) {
			for {
				select {
				case n := <-from:
					if n%prime != 0 {
						select {
						case to <- n:
						case <-done:
							return
						}
					}
				case <-done:
					return
				}
			}
		}(source, next, last)
		source = next
	}
	return last
}

func collector() {
	debug.SetGCPercent(50)
	before := runtime.MemStats{}
	runtime.ReadMemStats(&before)
	kept := grow(12)
	total := 0
	var group sync.WaitGroup
	var sum int64
	for worker := 0; worker < 4; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 30; i++ {
				atomic.AddInt64(&sum, int64(grow(8).count()))
			}
		}()
	}
	for i := 0; i < 200; i++ {
		total += len(bytes.Repeat([]byte{byte(i)}, 10000))
	}
	group.Wait()
	finalized := make(chan bool, 1)
	runtime.SetFinalizer(grow(0), func(*node) { finalized <- true })
	for i := 0; len(finalized) == 0 && i < 100; i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	after := runtime.MemStats{}
	runtime.ReadMemStats(&after)
	fmt.Println("collector:", kept.count(), total, sum, "collected", after.NumGC-before.NumGC > 3, "finalized", len(finalized))
}

func preemption() {
	// More endless loops than processors, none of which calls anything.
	runtime.GOMAXPROCS(2)
	var stop int32
	var spun [3]int64
	var group sync.WaitGroup
	for i := range spun {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for n := int64(0); ; n++ {
				if n&0xffff == 0 {
					if atomic.LoadInt32(&stop) != 0 {
						return
					}
					spun[i] = n + 1
				}
			}
		}(i)
	}
	go func() {
		for { // holds a thread for ever
		}
	}()
	time.Sleep(20 * time.Millisecond)
	runtime.GC() // stops the world, so each of them
	atomic.StoreInt32(&stop, 1)
	group.Wait()
	fmt.Println("preemption:", spun[0] > 0, spun[1] > 0, spun[2] > 0)
}

func faults() {
	recovered := 0
	for i := 0; i < 50; i++ {
		func() {
			defer func() {
				if recover() != nil {
					recovered++
				}
			}()
			var nothing *node
			zero := i - i
			switch i % 3 {
			case 0:
				nothing.payload[3] = 1
			case 1:
				fmt.Sprint(i / zero)
			case 2:
				fmt.Sprint([]int{1, 2, 3}[3+i])
			}
		}()
	}
	fmt.Println("recovered:", recovered)
}

func timers() {
	start := time.Now()
	order := make(chan int, 5)
	for _, ms := range []int{40, 10, 30, 20, 50} {
		ms := ms
		time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { order <- ms })
	}
	var got []int
	for range [5]int{} {
		got = append(got, <-order)
	}
	sort.Ints(got)
	ticks := 0
	ticker := time.NewTicker(5 * time.Millisecond)
	for range ticker.C {
		if ticks++; ticks == 5 {
			break
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	fmt.Println("timers:", got, ticks, ctx.Err(), time.Since(start) >= 85*time.Millisecond)
}

func signals() {
	notified := make(chan os.Signal, 10)
	signal.Notify(notified, syscall.SIGUSR1, syscall.SIGTERM)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	first := <-notified
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	second := <-notified
	signal.Stop(notified)
	fmt.Println("signals:", first, second)
}

func children() {
	var wait sync.WaitGroup
	results := make([]string, 6)
	for i := range results {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			command := exec.Command("/proc/self/exe", "child", fmt.Sprint(i))
			command.Stdin = strings.NewReader(strings.Repeat("x", 100000*i))
			out, err := command.Output()
			results[i] = fmt.Sprint(string(out), err)
		}(i)
	}
	wait.Wait()
	fmt.Println("children:", strings.Join(results, "; "))
	_, err := exec.Command("/nonexistent").Output()
	fmt.Println("no such program:", err)
	slow := exec.Command("/proc/self/exe", "sleep")
	if err := slow.Start(); err == nil {
		time.Sleep(10 * time.Millisecond)
		slow.Process.Kill()
		fmt.Println("killed:", slow.Wait())
	}
}

func pipes() {
	reader, writer, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	go func() {
		for i := 0; i < 1000; i++ {
			fmt.Fprintf(writer, "line %d\n", i)
		}
		writer.Close()
	}()
	text, _ := io.ReadAll(reader)
	fmt.Println("pipe:", len(text), bytes.Count(text, []byte("\n")))
	reader, _, _ = os.Pipe()
	reader.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err = reader.Read(make([]byte, 1))
	fmt.Println("deadline:", err)
}

func locks() {
	var mutex sync.RWMutex
	counts := map[int]int{}
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for j := 0; j < 100; j++ {
				if j%10 == 0 {
					mutex.Lock()
					counts[i%7]++
					mutex.Unlock()
				} else {
					mutex.RLock()
					_ = counts[j%7]
					mutex.RUnlock()
				}
			}
		}(i)
	}
	group.Wait()
	var keys []int
	for k := range counts {
		keys = append(keys, k)
	}
	sort.Ints(keys)
	for _, k := range keys {
		fmt.Print(k, "=", counts[k], " ")
	}
	fmt.Println()
	// Threads that are locked to a goroutine and sleep in the kernel.
	for i := 0; i < 20; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			runtime.LockOSThread()
			syscall.Nanosleep(&syscall.Timespec{Nsec: 5000000}, nil)
		}()
	}
	group.Wait()
	fmt.Println("threads: done")
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "sleep" {
		time.Sleep(time.Minute)
	}
	if len(os.Args) > 2 {
		text, _ := io.ReadAll(os.Stdin)
		fmt.Printf("%s read %d", os.Args[2], len(text))
		os.Exit(int(os.Args[2][0]-'0') % 3)
	}
	fmt.Println("goroutines:", sieve(200))
	collector()
	preemption()
	faults()
	timers()
	signals()
	children()
	pipes()
	locks()
	defer fmt.Println("deferred")
	func() {
		defer func() { fmt.Println("panic:", recover()) }()
		panic("on purpose")
	}()
}
