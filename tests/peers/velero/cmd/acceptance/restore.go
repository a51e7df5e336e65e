package main

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/vmware-tanzu/velero/pkg/plugin/velero"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func (s *server) restore(name string) (*velero.RestoreItemActionExecuteOutput, error) {
	action, err := s.restoreAction(name)
	if err != nil {
		return nil, err
	}
	stored := sampleItem()
	stored.SetAnnotations(map[string]string{"was": "stored"})
	return action.Execute(&velero.RestoreItemActionExecuteInput{
		Item: sampleItem(), ItemFromBackup: stored, Restore: sampleRestore(),
	})
}

func unchanged(output *velero.RestoreItemActionExecuteOutput) error {
	return equalItems(output.UpdatedItem, sampleItem())
}

func restoreItemIsEchoed(s *server) error {
	got, err := s.restore("restore-echo")
	if err != nil {
		return err
	}
	if got.SkipRestore || got.WaitForAdditionalItems || got.OperationID != "" || got.AdditionalItems != nil {
		return fmt.Errorf("more than the item came back: %+v", got)
	}
	return unchanged(got)
}

func restoreSeesTheStoredItem(s *server) error {
	got, err := s.restore("restore-stored")
	if err != nil {
		return err
	}
	want := sampleItem()
	want.SetAnnotations(map[string]string{"was": "stored"})
	return equalItems(got.UpdatedItem, want)
}

func restoreIsSkipped(s *server) error {
	got, err := s.restore("restore-skip")
	if err == nil && !got.SkipRestore {
		err = errors.New("the restore is not skipped")
	}
	if err != nil {
		return err
	}
	return unchanged(got)
}

func restoreWaitsUntilItsItemsAreReady(s *server) error {
	got, err := s.restore("restore-wait")
	if err != nil {
		return err
	}
	action, err := s.restoreAction("restore-wait")
	if err != nil {
		return err
	}
	var wrong failures
	wrong.unless(got.WaitForAdditionalItems, "Velero is not told to wait")
	want := []velero.ResourceIdentifier{claim("data")}
	wrong.unless(reflect.DeepEqual(got.AdditionalItems, want), "additional items are %v", got.AdditionalItems)
	ready, err := action.AreAdditionalItemsReady(want, sampleRestore())
	wrong.unless(err == nil && ready, "with the claim: %v, %v", ready, err)
	ready, err = action.AreAdditionalItemsReady([]velero.ResourceIdentifier{pod("late")}, sampleRestore())
	wrong.unless(err == nil && !ready, "without the claim: %v, %v", ready, err)
	indifferent, err := s.restoreAction("restore-echo")
	if err != nil {
		return err
	}
	ready, err = indifferent.AreAdditionalItemsReady(want, sampleRestore())
	wrong.unless(err == nil && ready, "an action that does not wait: %v, %v", ready, err)
	return wrong.err()
}

func restoreOperationIsAskedAndCancelled(s *server) error {
	got, err := s.restore("restore-operation")
	if err != nil {
		return err
	}
	action, err := s.restoreAction("restore-operation")
	if err != nil {
		return err
	}
	var wrong failures
	wrong.unless(got.OperationID == "upload-shop/db", "operation is %q", got.OperationID)
	progress, err := action.Progress(got.OperationID, sampleRestore())
	wrong.unless(err == nil, "progress: %v", err)
	wrong.unless(reflect.DeepEqual(progress, sampleProgress()), "progress is %+v", progress)
	wrong.unless(action.Cancel(got.OperationID, sampleRestore()) == nil, "cancel is an error")
	_, err = s.log.await("cancelled upload-shop/db")
	return errors.Join(err, wrong.err())
}

// annotation reads what a test action wrote into the item.
func annotation(got back, name string) string {
	item := unstructured.Unstructured{Object: got.item.UnstructuredContent()}
	return item.GetAnnotations()[name]
}
