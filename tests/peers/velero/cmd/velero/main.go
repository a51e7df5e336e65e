// Velero as it ships, but without the metrics listener of controller-runtime: Velero offers no flag for it, and by
// default it listens on every interface at port 8080, so that two clusters could not run on one machine.
package main

import (
	"os"
	"path/filepath"

	"github.com/vmware-tanzu/velero/pkg/cmd"
	"github.com/vmware-tanzu/velero/pkg/cmd/velero"
	"k8s.io/klog/v2"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func main() {
	defer klog.Flush()
	metricsserver.DefaultBindAddress = "0"
	name := filepath.Base(os.Args[0])
	cmd.CheckError(velero.NewCommand(name).Execute())
}
