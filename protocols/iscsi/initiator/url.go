package initiator

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"forebay/protocols/iscsi"
)

// URL is a parsed iSCSI URL.
type URL struct {
	Portal string // host:port
	Target string
	LUN    uint16
	CHAP   iscsi.Credentials
}

// DefaultPort is the port of iSCSI (RFC 7143 4.2.7.1).
const DefaultPort = "3260"

var errURL = errors.New("want iscsi://[user[%secret]@]host[:port]/target/lun")

// ParseURL reads a URL as libiscsi and QEMU write it: iscsi://[user[%secret]@]host[:port]/target/lun, with the credentials of the
// target in target_user and target_password. It is no net/url URL: the percent sign separates.
func ParseURL(s string) (URL, error) {
	u, err := parseURL(s)
	if err != nil {
		// The text may hold secrets, before the host and in the arguments: name what is between them only.
		at := strings.LastIndexByte(s, '@') + 1
		place, _, _ := strings.Cut(s[at:], "?")
		if strings.Contains(s[:at], "?") {
			place = "" // either of them has an at sign or a question mark in it
		}
		return URL{}, fmt.Errorf("iSCSI URL %q: %w", place, err)
	}
	return u, nil
}

func parseURL(s string) (URL, error) {
	rest, ok := strings.CutPrefix(s, "iscsi://")
	if !ok {
		return URL{}, errURL
	}
	rest, query, _ := strings.Cut(rest, "?")
	parts := strings.Split(rest, "/")
	if len(parts) != 3 || parts[1] == "" {
		return URL{}, errURL
	}
	u := URL{Target: parts[1]}
	lun, err := strconv.ParseUint(parts[2], 10, 14)
	if err != nil {
		return URL{}, fmt.Errorf("%q is no LUN: %w", parts[2], errURL)
	}
	u.LUN = uint16(lun)
	host := parts[0]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		u.CHAP.User, u.CHAP.Secret, _ = strings.Cut(host[:at], "%")
		host = host[at+1:]
	}
	if u.Portal, err = withPort(host); err != nil {
		return URL{}, err
	}
	return u, u.arguments(query)
}

func (u *URL) arguments(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errURL
	}
	for key := range values {
		switch key {
		case "target_user":
			u.CHAP.MutualUser = values.Get(key)
		case "target_password":
			u.CHAP.MutualSecret = values.Get(key)
		default:
			return fmt.Errorf("argument %q is not known", key)
		}
	}
	return nil
}

// withPort adds the default port to an address that has none. IPv6 addresses are in brackets.
func withPort(host string) (string, error) {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") || !strings.Contains(host, ":") {
		host += ":" + DefaultPort
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil || name == "" {
		return "", errURL
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q is no port: %w", port, errURL)
	}
	return host, nil
}
