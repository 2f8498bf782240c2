package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultURL is where the operator's commands look for a gateway when neither --api nor FOREBAY_API says otherwise.
const DefaultURL = "http://127.0.0.1:7480"

// Client asks one gateway.
type Client struct {
	base string
	http http.Client
}

// NewClient returns a client of the gateway at the given base URL; an address without a scheme is taken as http.
func NewClient(base string) *Client {
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	return &Client{base: strings.TrimRight(base, "/"), http: http.Client{Timeout: 10 * time.Second}}
}

// Status fetches the gateway's status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.get(ctx, "/api/v1/status", &s)
}

// Operate has a gateway do something with a volume: policy, drain, pause-writeback, barrier, recover, drop-cache. It waits for as long as that takes.
func (c *Client) Operate(ctx context.Context, volume, operation string, o Operation) error {
	if err := c.post(ctx, "/api/v1/volumes/"+url.PathEscape(volume)+"/"+operation, o); err != nil {
		return fmt.Errorf("volume %s: %w", volume, err)
	}
	return nil
}

// OperateFlash has a gateway resize or remove a pool's flash tier.
func (c *Client) OperateFlash(ctx context.Context, pool string, o FlashOperation) error {
	if err := c.post(ctx, "/api/v1/pools/"+url.PathEscape(pool)+"/flash", o); err != nil {
		return fmt.Errorf("pool %s: %w", pool, err)
	}
	return nil
}

// OperateRAM has a gateway resize a pool's RAM tier.
func (c *Client) OperateRAM(ctx context.Context, pool string, o RAMOperation) error {
	if err := c.post(ctx, "/api/v1/pools/"+url.PathEscape(pool)+"/ram", o); err != nil {
		return fmt.Errorf("pool %s: %w", pool, err)
	}
	return nil
}

func (c *Client) post(ctx context.Context, path string, o any) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the gateway's address %q: %w", c.base, err)
	}
	patient := http.Client{} // ctx ends it
	resp, err := patient.Do(req)
	if ctx.Err() != nil {
		return fmt.Errorf("called off: %w", context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("no gateway answers at %s (name another with --api or FOREBAY_API): %w", c.base, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		return errors.New(strings.TrimSpace(string(text)))
	}
	return nil
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("the gateway's address %q: %w", c.base, err)
	}
	resp, err := c.http.Do(req)
	if ctx.Err() != nil {
		return fmt.Errorf("called off: %w", context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("no gateway answers at %s (name another with --api or FOREBAY_API): %w", c.base, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		return fmt.Errorf("%s%s: %s: %s", c.base, path, resp.Status, strings.TrimSpace(string(text)))
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("%s%s: not a gateway's answer: %w", c.base, path, err)
	}
	return nil
}
