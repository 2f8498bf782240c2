// Package reconcile puts right what the second execution of a change answers (PROTOCOL H2). It is for whoever has a change executed of which
// an earlier copy may have been executed already: a filer's client that has lost a connection, a server that was started again.
//
// It looks at the file system and changes nothing. It can't tell what the first execution did from what others did meanwhile: where a look says
// that the file system is as it would be had the change been made just now, that is success.
package reconcile
