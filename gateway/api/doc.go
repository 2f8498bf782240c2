// Package api holds what a gateway says of itself over HTTP: the JSON of /api/v1, shared by the server and the operator's
// commands. Units are in the names: bytes, seconds, microseconds.
package api
