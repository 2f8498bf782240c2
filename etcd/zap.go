package etcd

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/rs/zerolog"
	"go.uber.org/zap/zapcore"
)

// zapCore writes etcd's own log lines, warnings and worse, into ours.
type zapCore struct {
	log   zerolog.Logger
	quiet *atomic.Bool // the server is being closed, and calls each listener that ends an error
}

// chosen are warnings about what is meant to be so.
var chosen = map[string]bool{
	"Running http and grpc server on single port. This is not recommended for production.": true, // a socket of our own
	"simple token is not cryptographically signed":                                         true, // there is no authentication: the folder's mode guards the socket
}

func newZapCore(log zerolog.Logger) *zapCore {
	return &zapCore{log: log.With().Str("component", "etcd").Logger(), quiet: new(atomic.Bool)}
}

func (c *zapCore) Enabled(l zapcore.Level) bool {
	return l >= zapcore.WarnLevel && (l > zapcore.ErrorLevel || !c.quiet.Load())
}

func (c *zapCore) With(fields []zapcore.Field) zapcore.Core {
	return &zapCore{log: c.log.With().Fields(encode(fields)).Logger(), quiet: c.quiet}
}

func (c *zapCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) && !chosen[e.Message] {
		return to.AddCore(e, c)
	}
	return to
}

func (c *zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	level := zerolog.WarnLevel
	if e.Level >= zapcore.ErrorLevel { // what comes after a fatal one is failure's to do
		level = zerolog.ErrorLevel
	}
	c.log.WithLevel(level).Fields(encode(fields)).Msg(e.Message)
	return nil
}

func (c *zapCore) Sync() error { return nil }

func encode(fields []zapcore.Field) map[string]any {
	to := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(to)
	}
	return to.Fields
}

// failure tells why a server can't go on: once, there is room for one error. As zap's hook for fatal lines and panics it ends the goroutine
// that can't go on, where zap would end the process: no volume stops being served for a full disk under the control plane.
type failure chan error

func (f failure) tell(err error) {
	select {
	case f <- err:
	default:
	}
}

// OnWrite implements zapcore.CheckWriteHook. It doesn't return.
func (f failure) OnWrite(e *zapcore.CheckedEntry, fields []zapcore.Field) {
	err := errors.New(e.Message)
	if cause, ok := encode(fields)["error"]; ok {
		err = fmt.Errorf("%s: %v", e.Message, cause)
	}
	f.tell(err)
	runtime.Goexit()
}
