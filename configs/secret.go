package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// A CHAP secret has at least 96 bits (RFC 7143 section 9.2.1) and, that both ends can hold it, at most 255 bytes.
const minSecret, maxSecret = 12, 255

// readSecrets reads every secret that the file names.
func readSecrets(c *Config, d *document) {
	for i := range c.Arrays {
		if x := c.Arrays[i].ISCSI; x != nil {
			readCHAP(d, fmt.Sprintf("arrays[%d].iscsi.chap", i), x.CHAP)
		}
	}
	for i := range c.Volumes {
		if x := c.Volumes[i].ISCSI; x != nil {
			readCHAP(d, fmt.Sprintf("volumes[%d].iscsi.chap", i), x.CHAP)
		}
	}
}

func readCHAP(d *document, at string, chap *CHAP) {
	if chap == nil {
		return
	}
	chap.Secret = readSecret(d, at+".secret-file", chap.SecretFile)
	if chap.Mutual == nil {
		return
	}
	chap.Mutual.Secret = readSecret(d, at+".mutual.secret-file", chap.Mutual.SecretFile)
	if chap.Secret != nil && bytes.Equal(chap.Secret, chap.Mutual.Secret) {
		d.refuse(at+".mutual.secret-file", "the two sides of mutual CHAP need different secrets (RFC 7143 section 9.2.1)")
	}
}

// readSecret returns nil where the secret can't be used, having said why.
func readSecret(d *document, key, path string) []byte {
	if path == "" {
		return nil
	}
	secret, mode, err := readSmall(path)
	if err != nil {
		d.refuse(key, "the secret can't be read: %v", err)
		return nil
	}
	if mode.Perm()&0o004 != 0 {
		d.warn(key, "everyone on this machine may read %s; chmod 600 it", path)
	}
	secret = bytes.TrimSuffix(bytes.TrimSuffix(secret, []byte("\n")), []byte("\r"))
	if len(secret) < minSecret || len(secret) > maxSecret {
		d.refuse(key, "the secret in %s has %d bytes; %d to %d are wanted (RFC 7143 section 9.2.1 asks for 96 bits)", path, len(secret), minSecret, maxSecret)
		return nil
	}
	return secret
}

func readSmall(path string) ([]byte, os.FileMode, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not stop the start
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New(path + " is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+3)) // one byte over, and a line's end
	return data, info.Mode(), err
}
