// disks is a CSI driver for tests: a controller without a node service, so nothing is ever mounted.
//
// A volume is a directory (filesystem mode) or a sparse file (block mode); a snapshot is a copy of its bytes.
//
//	DIR/volumes/ID                 the bytes of a volume
//	DIR/snapshots/ID               the bytes of a snapshot
//	DIR/claims/NAMESPACE/CLAIM     link to the volume that was made for a claim
//	DIR/cuts.jsonl                 one line per snapshot ever cut, also of those deleted since, with its group
//	DIR/orders/NAMESPACE/CLAIM     how snapshots of a claim go wrong, see orders.go; written by tests
package main

import (
	"flag"
	"log"
	"net"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
)

func main() {
	socket := flag.String("socket", "", "unix socket to serve on")
	directory := flag.String("directory", "", "where volumes and snapshots live")
	lag := flag.Duration("snapshot-lag", 0, "time from the cut until a snapshot says it is ready")
	flag.Parse()
	if err := serve(*socket, *directory, *lag); err != nil {
		log.Fatal(err)
	}
}

func serve(socket, directory string, lag time.Duration) error {
	driver, err := newDriver(folder(directory), lag)
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, identity{})
	csi.RegisterControllerServer(server, driver)
	csi.RegisterGroupControllerServer(server, driver)
	return server.Serve(listener)
}
