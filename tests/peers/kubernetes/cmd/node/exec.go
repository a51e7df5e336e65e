package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	streams "k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// serve answers what the API server asks of a kubelet when a client executes a command in a pod, or reads its logs.
func serve(listener net.Listener, certificates string, freezer *freezer, logs logs) error {
	authority, err := os.ReadFile(filepath.Join(certificates, "ca.crt"))
	if err != nil {
		return err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	routes := http.NewServeMux()
	routes.HandleFunc("/exec/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		options, err := remotecommand.NewOptions(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		remotecommand.ServeExec(w, r, container{r.PathValue("namespace"), freezer}, r.PathValue("pod"), "",
			r.PathValue("container"), r.URL.Query()["command"], options, 4*time.Hour, 30*time.Second,
			streams.SupportedStreamingProtocols)
	})
	routes.Handle("/containerLogs/{namespace}/{pod}/{container}", logs)
	server := &http.Server{
		Handler:   routes,
		TLSConfig: &tls.Config{ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert},
		// Exec upgrades the connection, which HTTP/2 has no way to do.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	return server.ServeTLS(listener, filepath.Join(certificates, "kubelet.crt"), filepath.Join(certificates, "kubelet.key"))
}

type container struct {
	namespace string
	freezer   *freezer
}

func (c container) ExecInContainer(
	ctx context.Context, pod, _, name string, command []string, in io.Reader, out, problems io.WriteCloser,
	_ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration,
) error {
	log.Printf("exec in %s/%s/%s: %s", c.namespace, pod, name, strings.Join(command, " "))
	if command[0] == freezerPath {
		return c.freezer.run(ctx, c.namespace+"/"+pod, command[1:], out)
	}
	process := exec.CommandContext(ctx, command[0], command[1:]...)
	process.Env = append(os.Environ(), "POD_NAMESPACE="+c.namespace, "POD_NAME="+pod)
	process.Stdin, process.Stdout = in, out
	if problems != nil {
		process.Stderr = problems
	}
	return withExitCode(process.Run())
}

func withExitCode(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return utilexec.CodeExitError{Err: exit, Code: exit.ExitCode()}
	}
	return err
}
