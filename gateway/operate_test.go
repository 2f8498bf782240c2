package gateway

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/gateway/api"
	"forebay/protocols/sock/socktest"
)

// overAPI has the management interface served within a bubble, for a client of it.
func (x *logged) overAPI() *api.Client {
	x.t.Helper()
	for name, d := range x.disks {
		d.attachment = newAttachment(name, "mem", nil, x.said.logger())
	}
	if err := x.gateway.buildServer(); err != nil {
		x.t.Fatal(err)
	}
	pipes, ended := socktest.NewPipeListener(), make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() { ended <- x.gateway.serveAPI(ctx, pipes) }()
	transport := &http.Transport{DialContext: pipes.Dial, DisableKeepAlives: true}
	was := http.DefaultTransport
	http.DefaultTransport = transport
	end := x.end
	x.end = func() {
		http.DefaultTransport = was
		stop()
		if err := <-ended; err != nil {
			x.t.Error(err)
		}
		if err := x.gateway.writes.close(); err != nil {
			x.t.Error(err)
		}
		end()
	}
	return api.NewClient("http://gateway")
}

// An operation takes as long as the array needs, and its end is told then.
func TestOperationsThatTakeLongAreAnswered(t *testing.T) {
	for operation, o := range map[string]api.Operation{"drain": {}, "barrier": {Hold: "1m"}} {
		t.Run(operation, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newLogged(t)
				client := x.overAPI()
				x.write("vol1", 0, 'a')
				answered := make(chan error, 1)
				go func() { answered <- client.Operate(t.Context(), "vol1", operation, o) }()
				time.Sleep(time.Hour)
				if len(answered) > 0 {
					t.Fatalf("answered before it was done: %v", <-answered)
				}
				x.destage("vol1")
				if err := <-answered; err != nil {
					t.Error(err)
				}
				x.expectBlock("vol1", 0, 'a', 'a')
				x.expectModes(writeback.Back, writeback.Back)
				x.end()
			})
		})
	}
}

// What follows the end of the API frees what an operation works on.
func TestTheEndOfTheAPIWaitsForAnOperationThatIsNotToBeCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newLogged(t)
		client, done := x.overAPI(), false
		x.disks["vol1"].back.store = &asked{Store: x.store, change: func() error {
			time.Sleep(5 * time.Second)
			done = true
			return errBoom
		}}
		answered := make(chan error, 1)
		go func() {
			answered <- client.Operate(context.Background(), "vol1", "policy", api.Operation{Write: configs.WriteBack})
		}()
		synctest.Wait()
		x.end()
		if !done {
			t.Error("it ends before")
		}
		if err := <-answered; err == nil {
			t.Error("its connection is not cut")
		}
		time.Sleep(10 * time.Second)
	})
}

func TestTheEndOfTheAPICallsOffADrainWhoseConnectionNobodyWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newLogged(t)
		x.write("vol1", 0, 'a')
		x.overAPI()
		body, more := io.Pipe() // which has no end: what ends the connection is seen by who reads on
		go func() { _, _ = more.Write([]byte("{}\n")) }()
		answered := make(chan error, 1)
		go func() {
			r, err := http.Post("http://gateway/api/v1/volumes/vol1/drain", "application/json", body)
			if err == nil {
				r.Body.Close()
			}
			answered <- err
		}()
		synctest.Wait()
		began := time.Now()
		x.end()
		if took := time.Since(began); took > apiGrace {
			t.Error("it takes", took)
		}
		more.Close()
		<-answered
	})
}
