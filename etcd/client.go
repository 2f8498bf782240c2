package etcd

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// client is kv over etcd. Reads are linearizable.
type client struct{ etcd *clientv3.Client }

func (c client) get(ctx context.Context, keys ...string) (map[string]value, error) {
	found := map[string]value{}
	if len(keys) == 0 {
		return found, nil
	}
	gets := make([]clientv3.Op, len(keys))
	for i, key := range keys {
		gets[i] = clientv3.OpGet(key)
	}
	answer, err := c.etcd.Txn(ctx).Then(gets...).Commit()
	if err != nil {
		return nil, fmt.Errorf("read from etcd: %w", err)
	}
	for _, r := range answer.Responses {
		for _, pair := range r.GetResponseRange().GetKvs() {
			found[string(pair.Key)] = value{pair.Value, pair.ModRevision}
		}
	}
	return found, nil
}

func (c client) list(ctx context.Context, prefix string) (map[string]value, error) {
	answer, err := c.etcd.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("read from etcd: %w", err)
	}
	found := make(map[string]value, len(answer.Kvs))
	for _, pair := range answer.Kvs {
		found[string(pair.Key)] = value{pair.Value, pair.ModRevision}
	}
	return found, nil
}

func (c client) commit(ctx context.Context, when map[string]int64, changes []change) (bool, error) {
	conditions := make([]clientv3.Cmp, 0, len(when))
	for key, revision := range when {
		conditions = append(conditions, clientv3.Compare(clientv3.ModRevision(key), "=", revision))
	}
	ops := make([]clientv3.Op, len(changes))
	for i, change := range changes {
		if change.data == nil {
			ops[i] = clientv3.OpDelete(change.key)
		} else {
			ops[i] = clientv3.OpPut(change.key, string(change.data))
		}
	}
	answer, err := c.etcd.Txn(ctx).If(conditions...).Then(ops...).Commit()
	if err != nil {
		return false, fmt.Errorf("write to etcd: %w", err)
	}
	return answer.Succeeded, nil
}
