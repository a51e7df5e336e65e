//go:build !velero_v1_14

package main

import (
	"fmt"

	"github.com/spf13/pflag"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework/common"
	"github.com/vmware-tanzu/velero/pkg/plugin/velero"
)

// checksOfThisVersion are those of calls that Velero v1.14 does not have.
func checksOfThisVersion() []check {
	return []check{{"related-items-arrive", relatedItemsArrive}}
}

func allowUnknown(flags *pflag.FlagSet) { flags.ParseErrorsAllowlist.UnknownFlags = true }

func (s *server) appliesTo(kind, name string) (velero.ResourceSelector, error) {
	if kind == common.PluginKindItemBlockAction.String() {
		action, err := s.manager.GetItemBlockAction(name)
		if err != nil {
			return velero.ResourceSelector{}, err
		}
		return action.AppliesTo()
	}
	return s.appliesToItem(kind, name)
}

func relatedItemsArrive(s *server) error {
	action, err := s.manager.GetItemBlockAction("stillpoint.test/related")
	if err != nil {
		return err
	}
	related, err := action.GetRelatedItems(sampleItem(), sampleBackup())
	if err != nil {
		return err
	}
	if len(related) != 2 || related[0] != claim("data") || related[1] != pod("virt-launcher") {
		return fmt.Errorf("related items are %v", related)
	}
	return nil
}
