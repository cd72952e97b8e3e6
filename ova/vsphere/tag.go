package vsphere

import (
	"context"
	"fmt"

	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// tagCategory holds a tag a cluster, so that people find its machines and other tools can leave them alone.
const tagCategory = "slipway"

// tagID finds the tag of a cluster; "" if there is none.
func (c *Client) tagID(ctx context.Context, cluster string) (category, tag string, err error) {
	m := tags.NewManager(c.rest)
	err = c.ask(ctx, func() error {
		category, tag = "", ""
		ids, err := m.ListCategories(ctx)
		for _, id := range ids {
			found, err := m.GetCategory(ctx, id)
			if err != nil {
				return err
			}
			if found.Name == tagCategory {
				category = id
			}
		}
		if err != nil || category == "" {
			return err
		}
		ids, err = m.ListTagsForCategory(ctx, category)
		for _, id := range ids {
			found, err := m.GetTag(ctx, id)
			if err != nil {
				return err
			}
			if found.Name == cluster {
				tag = id
			}
		}
		return err
	})
	if err != nil {
		return "", "", fmt.Errorf("looking for the tag of the cluster: %w", err)
	}
	return category, tag, nil
}

// tagged is what carries a cluster's tag.
func (c *Client) tagged(ctx context.Context, cluster string) (map[types.ManagedObjectReference]bool, error) {
	all := map[types.ManagedObjectReference]bool{}
	_, tag, err := c.tagID(ctx, cluster)
	if err != nil || tag == "" {
		return all, err
	}
	var refs []mo.Reference
	err = c.ask(ctx, func() (err error) {
		refs, err = tags.NewManager(c.rest).ListAttachedObjects(ctx, tag)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for what carries the tag of the cluster: %w", err)
	}
	for _, r := range refs {
		all[r.Reference()] = true
	}
	return all, nil
}

// makeTag gives the tag of a cluster; it makes category and tag if they are not there.
func (c *Client) makeTag(ctx context.Context, cluster string) (string, error) {
	m := tags.NewManager(c.rest)
	category, tag, err := c.tagID(ctx, cluster)
	if err != nil {
		return "", err
	}
	err = c.ask(ctx, func() (err error) {
		if category == "" {
			category, err = m.CreateCategory(ctx, &tags.Category{
				Name: tagCategory, Description: "Made by slipway: a tag a cluster", Cardinality: "MULTIPLE", AssociableTypes: []string{"VirtualMachine"},
			})
		}
		if err == nil && tag == "" {
			tag, err = m.CreateTag(ctx, &tags.Tag{Name: cluster, Description: "Machines of the cluster " + cluster, CategoryID: category})
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("making the tag of the cluster: %w", err)
	}
	return tag, nil
}

func (c *Client) attachTag(ctx context.Context, tag string, ref types.ManagedObjectReference) error {
	if err := c.ask(ctx, func() error { return tags.NewManager(c.rest).AttachTag(ctx, tag, ref) }); err != nil {
		return fmt.Errorf("tagging: %w", err)
	}
	return nil
}

func (c *Client) detachTag(ctx context.Context, cluster string, ref types.ManagedObjectReference) error {
	_, tag, err := c.tagID(ctx, cluster)
	if err != nil || tag == "" {
		return err
	}
	if err := c.ask(ctx, func() error { return tags.NewManager(c.rest).DetachTag(ctx, tag, ref) }); err != nil {
		return fmt.Errorf("removing the tag: %w", err)
	}
	return nil
}

// dropTag removes the cluster's tag if nothing carries it any longer.
func (c *Client) dropTag(ctx context.Context, cluster string) error {
	left, err := c.tagged(ctx, cluster)
	if err != nil || len(left) > 0 {
		return err
	}
	_, tag, err := c.tagID(ctx, cluster)
	if err != nil || tag == "" {
		return err
	}
	err = c.ask(ctx, func() error { return tags.NewManager(c.rest).DeleteTag(ctx, &tags.Tag{ID: tag}) })
	if err != nil {
		return fmt.Errorf("removing the tag of the cluster: %w", err)
	}
	return nil
}
