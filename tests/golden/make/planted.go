// A program with planted costs and a planted heap, as strangers build them.
package main

import (
	"fmt"
	"os"
	"strings"
)

type store struct{ kept [][]byte }

//go:noinline
func (s *store) keep(n int) { s.kept = append(s.kept, make([]byte, n)) }

//go:noinline
func spin[T int | uint64](n T) T {
	var a T
	for i := T(0); i < n; i++ {
		a = a*31 + i
	}
	return a
}

func main() {
	var s store
	for i := 0; i < 4; i++ {
		s.keep(1 << 20)
	}
	each := func(n int) int { return spin(n) }
	total := each(1000) + int(spin(uint64(7)))
	if len(os.Args) > 1 && os.Args[1] == "burn" {
		for i := 0; i < 400; i++ {
			total += each(1000000)
		}
	}
	fmt.Println(strings.Repeat("x", 3), total, len(s.kept))
}
