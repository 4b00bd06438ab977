// As faulty.c, in Go: what is at fault is a function without a name in a method. Its heap is not jemalloc's.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"time"
)

type chunks struct{ from, to []byte }

var sum int

func until(ms int, work func()) {
	for begun := time.Now(); time.Since(begun) < time.Duration(ms)*time.Millisecond; {
		work()
	}
}

//go:noinline
func (c *chunks) atFault(fault string, ms int) {
	work := func() {
		switch fault {
		case "burn":
			until(ms, func() { copy(c.to, c.from) })
		case "wait":
			time.Sleep(time.Duration(ms) * time.Millisecond)
		}
		sum++
	}
	work()
	sum++
}

//go:noinline
func (c *chunks) checksum(ms int) {
	until(ms, func() {
		for _, b := range c.from {
			sum += int(b)
		}
	})
}

//go:noinline
func (c *chunks) lookUp(ms int) { time.Sleep(time.Duration(ms) * time.Millisecond); sum++ }

//go:noinline
func (c *chunks) write(fault string, ms int) { c.atFault(fault, ms); c.checksum(6); sum++ }

//go:noinline
func (c *chunks) serve(fault string, ms int) { c.write(fault, ms); c.lookUp(4); sum++ }

func main() {
	ms, _ := strconv.Atoi(os.Args[2])
	c := &chunks{make([]byte, 1<<16), make([]byte, 1<<16)}
	lines := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	lines.Scan()
	for i := 0; i < 60; i++ {
		c.serve(os.Args[1], ms)
	}
	fmt.Println("done")
	for lines.Scan() {
	}
}
