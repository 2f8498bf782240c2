package rpc

import (
	"context"
	"errors"
	"net"
)

const maxDatagram = 65507 // bytes that UDP carries over IPv4

// ServePacket answers datagrams, one call each, one after the other: it is for programs that never wait for long. It returns when ctx
// ends or Shutdown is called, with nil, or when the socket fails, and closes the socket. What is no call is not answered, lest two
// servers talk to each other for ever.
func (s *Server) ServePacket(ctx context.Context, socket net.PacketConn) error {
	if !s.open(socket) {
		socket.Close()
		return nil
	}
	defer s.close(socket)
	defer context.AfterFunc(ctx, func() { socket.Close() })()
	buf, call := make([]byte, maxDatagram), new(Call)
	for {
		n, from, err := socket.ReadFrom(buf)
		if s.isClosing() || ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil { // an ICMP error of an earlier reply, say
			s.log.Debug().Err(err).Msg("read a datagram")
			continue
		}
		call.Remote = addrPort(from)
		if reply := s.datagram(call, buf[:n]); reply != nil {
			if _, err := socket.WriteTo(reply, from); err != nil {
				s.log.Debug().Err(err).Stringer("to", from).Msg("write a datagram")
			}
		}
		call.reset()
	}
}

// datagram returns the reply to a datagram, valid until the call is reset; nil for none.
func (s *Server) datagram(call *Call, p []byte) []byte {
	if call.begin(p) != nil {
		return nil
	}
	if call.verdict == nil {
		if program := s.programs.inline(call); program != nil {
			program.Serve(s.calls, call)
		}
	}
	reply := call.seal()[markLength:]
	for _, piece := range call.Data.pieces {
		reply = append(reply, piece...)
	}
	reply = append(reply, zeros[:-len(reply)&3]...)
	if len(reply) > maxDatagram {
		return nil
	}
	return reply
}
