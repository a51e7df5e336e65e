// node stands in for a node and its kubelet: pods that are bound to it say they run, though nothing does, and
// commands executed in them run here. KubeVirt's virt-freezer is built in (freezer.go), and so is the part of its virt-api
// that freezes and thaws (subresources.go). What containers log is in logs.go.
package main

import (
	"context"
	"flag"
	"log"
	"net"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	nodeName = "node1"
	address  = "127.0.0.1"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	certificates := flag.String("certificates", "", "folder with ca.crt, kubelet.crt and kubelet.key")
	directory := flag.String("directory", "", "folder of virt-freezer's journal and orders, and of logs")
	flag.Parse()
	if err := run(context.Background(), *kubeconfig, *certificates, *directory); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, kubeconfig, certificates, directory string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 1000 // client-go's 5 requests a second would make 300 pods take minutes
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	kubelet, err := net.Listen("tcp", address+":0")
	if err != nil {
		return err
	}
	virtAPI, err := net.Listen("tcp", address+":0")
	if err != nil {
		return err
	}
	if err := register(ctx, client, kubelet.Addr().(*net.TCPAddr).Port); err != nil {
		return err
	}
	go keepPodsRunning(ctx, client)
	logs := logs{directory: directory, client: client}
	go logs.keepConsoles(ctx)
	freezer := &freezer{directory: directory, api: client.CoreV1().RESTClient(), frozen: map[string]bool{}}
	go func() { log.Fatal(serveSubresources(virtAPI, certificates, freezer)) }()
	if err := registerSubresources(ctx, client, certificates, virtAPI.Addr().(*net.TCPAddr).Port); err != nil {
		return err
	}
	return serve(kubelet, certificates, freezer, logs)
}
