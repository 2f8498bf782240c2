// Package nfsmodel checks an NFSv3 export against a model, as fsx does for a local file system: it asks random things from a seed, knows from
// a tree in memory what each answer must be, and stops at the first one that is wrong.
//
// A Checker works in a folder of its own, so that several may work on one export. Its clients are separate connections, with separate users
// where Options say so; each procedure is asked by one of them, and what one was answered binds what the next one is told.
//
//   - Run asks one thing at a time. Statuses, attributes, contents, listings and end-of-file flags must be exactly the model's, apart from what
//     RFC 1813 leaves open (want.go, and the alternatives that the procedures name). The same seed asks the same things of the same server.
//   - RunConcurrent asks many at a time: subtrees of their own, on which Run's model stays exact; shared files, of which each unit has versions
//     whose order is partly known (shared.go); and names that several clients want at once, of which one may win (race.go).
//   - Verify reads everything through every client. Compare compares with the folder behind the server. BehindTheBack changes files by another
//     route, after which clients must see the change once their attributes have expired.
//
// Servers and connections may come and go meanwhile. Calls are made again until they are answered, as those of a hard mount; a non-idempotent
// one without an answer may have been executed or not, and is settled by looking (settle.go). Unstable data that a new write verifier declares
// lost is written again, as clients do (commit.go).
//
// A wrong answer is a *Failure: it tells the seed, the step, what was expected, and the last steps of the objects concerned.
package nfsmodel
