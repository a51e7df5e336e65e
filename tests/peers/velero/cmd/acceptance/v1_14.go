//go:build velero_v1_14

package main

import (
	"github.com/spf13/pflag"
	"github.com/vmware-tanzu/velero/pkg/plugin/velero"
)

func checksOfThisVersion() []check { return nil }

func allowUnknown(flags *pflag.FlagSet) { flags.ParseErrorsWhitelist.UnknownFlags = true }

func (s *server) appliesTo(kind, name string) (velero.ResourceSelector, error) {
	return s.appliesToItem(kind, name)
}
