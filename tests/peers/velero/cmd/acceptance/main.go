// Drives a plugin executable as the Velero server does: through Velero's own registry, manager, clients and logger.
//
//	velero-acceptance CHECK --plugin-dir FOLDER [--log-level LEVEL] [FLAG...]
//
// CHECK is a name that `velero-acceptance list` prints, `all`, or `discover`, which prints what the registry found as
// JSON. As with the server, the arguments from the second on go to the plugin as well.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework"
)

// longest is the time after which a check is said to hang. Every check but the large items takes under three seconds.
const longest = 60 * time.Second

type check struct {
	name string
	run  func(*server) error
}

func main() {
	if len(os.Args) < 2 {
		fail("which check? HINT: velero-acceptance list")
	}
	switch os.Args[1] {
	case "run-plugins": // the registry starts os.Args[0] for the plugins that Velero brings along
		framework.NewServer().BindFlags(pflag.CommandLine).Serve()
	case "list":
		for _, each := range checks() {
			fmt.Println(each.name)
		}
	default:
		os.Exit(runNamed(os.Args[1]))
	}
}

func runNamed(name string) int {
	folder, level := serverFlags()
	if name == "discover" {
		return printed(discover(folder, level))
	}
	found, failures := 0, 0
	for _, each := range checks() {
		if name == "all" || name == each.name {
			found++
			failures += printed(runOne(each, folder, level))
		}
	}
	if found == 0 {
		fail("no check %s; HINT: velero-acceptance list", name)
	}
	return min(failures, 1)
}

// serverFlags reads those of the server's flags that matter here and leaves the others to the plugin.
func serverFlags() (string, logrus.Level) {
	flags := pflag.NewFlagSet("server", pflag.ExitOnError)
	allowUnknown(flags)
	folder := flags.String("plugin-dir", "", "where the plugin executables are")
	name := flags.String("log-level", "debug", "least severe level to log")
	if err := flags.Parse(os.Args[2:]); err != nil {
		fail("%v", err)
	}
	level, err := logrus.ParseLevel(*name)
	if err != nil || *folder == "" {
		fail("--plugin-dir FOLDER and a known --log-level are needed (%v)", err)
	}
	return *folder, level
}

func runOne(each check, folder string, level logrus.Level) (string, error) {
	started := time.Now()
	result := make(chan error, 1)
	go func() {
		server, err := newServer(folder, level)
		if err == nil {
			err = each.run(server)
			server.manager.CleanupClients()
		}
		result <- err
	}()
	select {
	case err := <-result:
		took := time.Since(started).Round(time.Millisecond)
		if err != nil {
			err = fmt.Errorf("%s (%s): %w", each.name, took, err)
		}
		return fmt.Sprintf("ok   %s (%s)", each.name, took), err
	case <-time.After(longest):
		return "", fmt.Errorf("%s: hangs", each.name)
	}
}

func printed(text string, err error) int {
	if err != nil {
		fmt.Printf("FAIL %v\n", err)
		return 1
	}
	fmt.Println(text)
	return 0
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(2)
}
