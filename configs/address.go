package configs

import (
	"fmt"
	"net/netip"

	"go.yaml.in/yaml/v4"
)

// Address is where a service listens or is found: an IP address with a port, or Off. Empty is a key that was not given.
type Address string

// Off is the address of a service that does not run.
const Off Address = "off"

// On says whether there is something to listen on.
func (a Address) On() bool { return a != "" && a != Off }

// reachable says whether somebody could connect to it.
func (a Address) reachable() bool {
	ap, err := netip.ParseAddrPort(string(a))
	return err == nil && !ap.Addr().IsUnspecified() && ap.Port() != 0
}

func (a *Address) UnmarshalYAML(n *yaml.Node) error { return scalar(n, a) }

// UnmarshalText parses 127.0.0.1:3260, [::1]:3260 or off.
func (a *Address) UnmarshalText(text []byte) error {
	if Address(text) != Off {
		if _, err := netip.ParseAddrPort(string(text)); err != nil {
			return fmt.Errorf("%q is not an address: write IP:PORT, such as 127.0.0.1:3260, 0.0.0.0:3260 or [::]:3260, or off", text)
		}
	}
	*a = Address(text)
	return nil
}
