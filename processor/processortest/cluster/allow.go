package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// right is a line of `tocsin topics acls -o json`.
type right struct {
	Principal string
	Host      string
	Operation string
	Type      string `json:"resource_type"`
	Name      string `json:"resource_name"`
	Pattern   string `json:"pattern_type"`
}

// allow grants rights as the cluster's administrator, and returns how many when the broker has heard of all.
func allow(ctx context.Context, lines io.Reader, admin string) (n int, err error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(admin))
	if err != nil {
		return 0, fmt.Errorf("make client: %w", err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for d := json.NewDecoder(lines); ; n++ {
		var r right
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, fmt.Errorf("read right %d: %w", n+1, err)
		}
		if err := r.grant(ctx, adm); err != nil {
			return n, fmt.Errorf("grant %s on %s %s: %w", r.Operation, r.Type, r.Name, err)
		}
	}
}

func (r right) grant(ctx context.Context, adm *kadm.Client) error {
	operation, err := kmsg.ParseACLOperation(r.Operation)
	if err != nil {
		return err
	}
	pattern, err := kmsg.ParseACLResourcePatternType(r.Pattern)
	if err != nil {
		return err
	}
	b := kadm.NewACLs().ResourcePatternType(pattern).Operations(operation).Allow(r.Principal).AllowHosts(r.Host)
	switch r.Type {
	case "Topic":
		b = b.Topics(r.Name)
	case "Group":
		b = b.Groups(r.Name)
	case "TransactionalId":
		b = b.TransactionalIDs(r.Name)
	case "Cluster":
		b = b.Clusters()
	default:
		return fmt.Errorf("no rights to a resource of type %q are known", r.Type)
	}
	made, err := adm.CreateACLs(ctx, b)
	if err != nil {
		return err
	}
	for _, m := range made {
		if m.Err != nil {
			return m.Err
		}
	}
	// The controller answers before the broker has heard.
	for {
		described, err := adm.DescribeACLs(ctx, b)
		if err != nil {
			return err
		}
		for _, d := range described {
			if len(d.Described) > 0 {
				return nil
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
