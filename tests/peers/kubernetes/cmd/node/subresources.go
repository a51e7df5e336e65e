package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
)

const (
	subresourcesGroup = "subresources.kubevirt.io"
	subresourcesPath  = "/apis/" + subresourcesGroup + "/v1"
	virtAPIName       = "virt-api"
	virtAPINamespace  = "kubevirt"
	frontProxy        = "front-proxy-client" // who the API server is when it passes a request on
)

var instances = schema.GroupResource{Group: "kubevirt.io", Resource: "virtualmachineinstance"}

// serveSubresources stands in for KubeVirt's virt-api, behind the API server: freeze and unfreeze of an instance.
//
// Follows pkg/virt-api/rest/lifecycle.go and subresource.go and pkg/virt-handler/rest/lifecycle.go of kubevirt/kubevirt
// 1.9: an instance that does not run is a conflict, whatever fails in its launcher an internal error, and success has no
// body. The API server has authorized who asks before it passes a request on; virt-api asks it once more, in vain.
func serveSubresources(listener net.Listener, certificates string, freezer *freezer) error {
	authority, err := os.ReadFile(filepath.Join(certificates, "ca.crt"))
	if err != nil {
		return err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	routes := http.NewServeMux()
	routes.HandleFunc("GET "+subresourcesPath, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, served())
	})
	one := subresourcesPath + "/namespaces/{namespace}/virtualmachineinstances/{name}/"
	routes.HandleFunc("PUT "+one+"{verb}", func(w http.ResponseWriter, r *http.Request) {
		if err := freezer.put(r); err != nil {
			refuse(w, err)
		}
	})
	server := &http.Server{
		Handler: routes,
		TLSConfig: &tls.Config{
			ClientCAs:        trusted,
			ClientAuth:       tls.RequireAndVerifyClientCert,
			VerifyConnection: isPassedOn,
		},
	}
	return server.ServeTLS(listener, filepath.Join(certificates, "virt-api.crt"), filepath.Join(certificates, "virt-api.key"))
}

func isPassedOn(state tls.ConnectionState) error {
	if name := state.PeerCertificates[0].Subject.CommonName; name != frontProxy {
		return fmt.Errorf("%s is not the API server", name)
	}
	return nil
}

// put is a PUT of a subresource; what it returns the client gets as a Status.
func (f *freezer) put(r *http.Request) error {
	made := call{Verb: r.PathValue("verb"), Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
	if made.Verb != "freeze" && made.Verb != "unfreeze" {
		return apierrors.NewNotFound(instances, made.Verb)
	}
	phase, err := f.phase(r.Context(), made)
	if err != nil {
		return err
	}
	if phase != "Running" {
		return apierrors.NewConflict(instances, made.Name, errors.New("VMI is not running"))
	}
	if made.Verb == "freeze" {
		if err := hasTimeout(r); err != nil {
			return apierrors.NewInternalError(err)
		}
	}
	if err := f.carryOut(r.Context(), &made); err != nil {
		return apierrors.NewInternalError(err)
	}
	return nil
}

func (f *freezer) phase(ctx context.Context, made call) (string, error) {
	path := fmt.Sprintf("/apis/kubevirt.io/v1/namespaces/%s/virtualmachineinstances/%s", made.Namespace, made.Name)
	content, err := f.api.Get().AbsPath(path).DoRaw(ctx)
	if apierrors.IsNotFound(err) {
		return "", apierrors.NewNotFound(instances, made.Name)
	}
	if err != nil {
		return "", err
	}
	instance := struct{ Status struct{ Phase string } }{}
	err = json.Unmarshal(content, &instance)
	return instance.Status.Phase, err
}

// hasTimeout refuses a freeze that does not say when the guest is to be thawed at the latest.
func hasTimeout(r *http.Request) error {
	wanted := struct{ UnfreezeTimeout *string }{}
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || wanted.UnfreezeTimeout == nil {
		return errors.New("Unfreeze timeout in freeze request is not set")
	}
	_, err := time.ParseDuration(*wanted.UnfreezeTimeout)
	return err
}

func served() metav1.APIResourceList {
	list := metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
		GroupVersion: subresourcesGroup + "/v1",
	}
	for _, verb := range []string{"freeze", "unfreeze"} {
		list.APIResources = append(list.APIResources, metav1.APIResource{
			Name: "virtualmachineinstances/" + verb, Namespaced: true, Verbs: metav1.Verbs{},
		})
	}
	return list
}

func refuse(w http.ResponseWriter, err error) {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		status = apierrors.NewInternalError(err)
	}
	told := status.Status()
	told.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	answer(w, int(told.Code), told)
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client that went away has no use for it
}

// registerSubresources tells the API server what to pass on. The Service has a name instead of a cluster's address, because
// nobody here carries traffic to those.
func registerSubresources(ctx context.Context, client kubernetes.Interface, certificates string, port int) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: virtAPINamespace}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: virtAPIName},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}
	if _, err := client.CoreV1().Services(virtAPINamespace).Create(ctx, service, metav1.CreateOptions{}); err != nil {
		return err
	}
	authority, err := os.ReadFile(filepath.Join(certificates, "ca.crt"))
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1",
		"kind":       "APIService",
		"metadata":   map[string]any{"name": "v1." + subresourcesGroup},
		"spec": map[string]any{
			"group": subresourcesGroup, "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15,
			"caBundle": base64.StdEncoding.EncodeToString(authority),
			"service":  map[string]any{"namespace": virtAPINamespace, "name": virtAPIName, "port": port},
		},
	})
	if err != nil {
		return err
	}
	services := client.CoreV1().RESTClient().Post().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices")
	return services.SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
}
