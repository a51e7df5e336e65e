// folder-store is a Velero plugin that keeps backups in a local folder: CONFIG.path/BUCKET/KEY.
package main

import (
	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework"
)

func main() {
	framework.NewServer().
		BindFlags(pflag.CommandLine).
		RegisterObjectStore("stillpoint.test/folder", func(logrus.FieldLogger) (any, error) { return &store{}, nil }).
		Serve()
}
