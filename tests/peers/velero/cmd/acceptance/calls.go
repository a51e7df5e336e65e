package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	api "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework/common"
	"github.com/vmware-tanzu/velero/pkg/plugin/velero"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// sampleItem has what gets lost on careless ways through JSON.
func sampleItem() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kubevirt.io/v1",
		"kind":       "VirtualMachine",
		"metadata": map[string]any{
			"name": "db", "namespace": "shop", "uid": "5f2c", "labels": map[string]any{},
		},
		"spec": map[string]any{
			"running": true, "nothing": nil, "list": []any{}, "nested": []any{[]any{nil, false, ""}},
			"beyondFloat": int64(9007199254740993), "most": int64(9223372036854775807),
			"least": int64(-9223372036854775808), "half": 0.5, "tiny": 1e-300, "thirds": 0.1 + 0.2,
			"text": "ÄÖ 漢字 🐘 <b>&\u2028\u0000\"\\\t", "": "empty key",
			"fieldOfTomorrow": map[string]any{"z": "1", "a": "2"},
		},
	}}
}

func sampleBackup() *api.Backup {
	now := metav1.NewTime(time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC))
	return &api.Backup{
		ObjectMeta: metav1.ObjectMeta{Name: "nightly", Namespace: "velero", UID: "b-1"},
		Spec:       api.BackupSpec{IncludedNamespaces: []string{"shop"}},
		Status:     api.BackupStatus{StartTimestamp: &now},
	}
}

func sampleRestore() *api.Restore {
	return &api.Restore{ObjectMeta: metav1.ObjectMeta{Name: "back", Namespace: "velero", UID: "r-1"}}
}

func claim(name string) velero.ResourceIdentifier {
	return identifier("", "persistentvolumeclaims", name)
}

func pod(name string) velero.ResourceIdentifier { return identifier("", "pods", name) }

func identifier(group, resource, name string) velero.ResourceIdentifier {
	return velero.ResourceIdentifier{
		GroupResource: schema.GroupResource{Group: group, Resource: resource}, Namespace: "shop", Name: name,
	}
}

// back is the answer to a backup action's Execute.
type back struct {
	item       runtime.Unstructured
	additional []velero.ResourceIdentifier
	operation  string
	after      []velero.ResourceIdentifier
}

func (s *server) execute(name string, item *unstructured.Unstructured, backup *api.Backup) (back, error) {
	action, err := s.backupAction(name)
	if err != nil {
		return back{}, err
	}
	var got back
	got.item, got.additional, got.operation, got.after, err = action.Execute(item, backup)
	return got, err
}

func (s *server) appliesToItem(kind, name string) (velero.ResourceSelector, error) {
	var action interface {
		AppliesTo() (velero.ResourceSelector, error)
	}
	var err error
	switch common.PluginKind(kind) {
	case common.PluginKindBackupItemActionV2:
		action, err = s.manager.GetBackupItemActionV2(name)
	case common.PluginKindRestoreItemActionV2:
		action, err = s.manager.GetRestoreItemActionV2(name)
	default:
		err = fmt.Errorf("a kind that stillpoint does not use: %s", kind)
	}
	if err != nil {
		return velero.ResourceSelector{}, err
	}
	return action.AppliesTo()
}

func equalItems(got runtime.Unstructured, want *unstructured.Unstructured) error {
	if !reflect.DeepEqual(got.UnstructuredContent(), want.Object) {
		return fmt.Errorf("item is %v instead of %v", got.UnstructuredContent(), want.Object)
	}
	return nil
}

func backupItemIsEchoed(s *server) error {
	got, err := s.execute("echo", sampleItem(), sampleBackup())
	if err != nil {
		return err
	}
	if got.additional != nil || got.after != nil || got.operation != "" {
		return fmt.Errorf("more than the item came back: %+v", got)
	}
	return equalItems(got.item, sampleItem())
}

func onlyTheDeclaredFieldChanges(s *server) error {
	got, err := s.execute("change", sampleItem(), sampleBackup())
	if err != nil {
		return err
	}
	want := sampleItem()
	want.SetLabels(map[string]string{"stillpoint.test/changed": "true"})
	return equalItems(got.item, want)
}

func additionalItemsArrive(s *server) error {
	got, err := s.execute("additional", sampleItem(), sampleBackup())
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(got.additional, []velero.ResourceIdentifier{claim("data"), pod("virt-launcher")}) {
		return fmt.Errorf("additional items are %v", got.additional)
	}
	return equalItems(got.item, sampleItem())
}

func operationIsStartedAskedAndCancelled(s *server) error {
	got, err := s.execute("operation", sampleItem(), sampleBackup())
	if err != nil {
		return err
	}
	var wrong failures
	wrong.unless(got.operation == "upload-shop/db", "operation is %q", got.operation)
	wrong.unless(len(got.after) == 1 && got.after[0] == claim("data"), "items after it are %v", got.after)
	action, err := s.backupAction("operation")
	if err != nil {
		return err
	}
	progress, err := action.Progress(got.operation, sampleBackup())
	wrong.unless(err == nil, "progress: %v", err)
	wrong.unless(reflect.DeepEqual(progress, sampleProgress()), "progress is %+v", progress)
	wrong.unless(action.Cancel(got.operation, sampleBackup()) == nil, "cancel is an error")
	_, err = s.log.await("cancelled upload-shop/db")
	return errors.Join(err, wrong.err())
}

func sampleProgress() velero.OperationProgress {
	return velero.OperationProgress{
		NCompleted: 9007199254740993, NTotal: 9007199254740995, OperationUnits: "bytes", Description: "läuft",
		Started: time.Date(2026, 5, 4, 3, 2, 1, 500_000_000, time.UTC),
		Updated: time.Date(2026, 5, 4, 3, 2, 2, 0, time.UTC),
	}
}

func operationIsAnsweredByANewProcess(s *server) error {
	got, err := s.execute("operation", sampleItem(), sampleBackup())
	if err != nil {
		return err
	}
	s.newManager()
	action, err := s.backupAction("operation")
	if err != nil {
		return err
	}
	progress, err := action.Progress(got.operation, sampleBackup())
	if err == nil && !reflect.DeepEqual(progress, sampleProgress()) {
		err = fmt.Errorf("progress is %+v", progress)
	}
	return err
}

func progressWithoutOperationsIsAnError(s *server) error {
	action, err := s.backupAction("echo")
	if err != nil {
		return err
	}
	_, progressError := action.Progress("upload-shop/db", sampleBackup())
	cancelError := action.Cancel("upload-shop/db", sampleBackup())
	for _, err := range []error{progressError, cancelError} {
		if err == nil || !strings.Contains(err.Error(), "it starts none") {
			return fmt.Errorf("the answer is %v", err)
		}
	}
	return nil
}

func emptyBackupIsNoObstacle(s *server) error {
	got, err := s.execute("echo", sampleItem(), &api.Backup{})
	if err != nil {
		return err
	}
	return equalItems(got.item, sampleItem())
}
