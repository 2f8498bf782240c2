package rpc

import (
	"io"
	"strconv"
	"testing"
)

// BenchmarkServer is 4 KiB of data over the loopback, with as many calls on their way as the depth says.
func BenchmarkServer(b *testing.B) {
	for _, depth := range []int{1, 16} {
		b.Run("depth "+strconv.Itoa(depth), func(b *testing.B) {
			r := newRig(b, loopback(b))
			defer r.end()
			c := r.raw()
			defer c.Close()
			call := callRecord(1, procData, []byte{0, 0, 16, 0})
			var calls []byte
			for range depth {
				calls = append(calls, call...)
			}
			answers := make([]byte, depth*(markLength+replyHeader+4+4096))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if _, err := c.Write(calls); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, answers); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(depth), "ns/call")
		})
	}
}

// BenchmarkClient is the client's round trip to our server, with so many callers at a time.
func BenchmarkClient(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run("callers "+strconv.Itoa(callers), func(b *testing.B) {
			r := newRig(b, loopback(b))
			defer r.end()
			c := r.client()
			defer c.Close()
			b.SetParallelism((callers + 1) / 2)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				q := &Request{Procedure: procData, Args: bytes("\x00\x00\x10\x00"), Idempotent: true}
				for pb.Next() {
					reply, err := c.Call(b.Context(), q)
					if err != nil {
						b.Error(err)
						return
					}
					reply.Release()
				}
			})
		})
	}
}
