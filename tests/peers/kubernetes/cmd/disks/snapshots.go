package main

import (
	"context"
	"os"
	"sort"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// CreateSnapshot may be called again for a snapshot that exists: the name is its identity.
func (d *driver) CreateSnapshot(
	ctx context.Context, request *csi.CreateSnapshotRequest,
) (*csi.CreateSnapshotResponse, error) {
	source, isNew, err := d.source(request)
	if err != nil {
		return nil, err
	}
	if isNew {
		if err := d.folder.obey(ctx, source.claim); err != nil {
			return nil, err
		}
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	made, known := d.snapshots[request.Name]
	if !known {
		made = snapshot{id: request.Name, source: source, cut: time.Now()}
		if err := d.cut(made); err != nil {
			return nil, err
		}
		d.snapshots[made.id] = made
	}
	return &csi.CreateSnapshotResponse{Snapshot: d.describe(made)}, nil
}

// source is the volume of a snapshot to take; it may be gone once there is one of that name.
func (d *driver) source(request *csi.CreateSnapshotRequest) (source volume, isNew bool, err error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if _, known := d.snapshots[request.Name]; known {
		return volume{}, false, nil
	}
	source, exists := d.volumes[request.SourceVolumeId]
	if !exists {
		return volume{}, false, status.Errorf(codes.NotFound, "no volume %s", request.SourceVolumeId)
	}
	return source, true, nil
}

// cut copies the bytes and notes between which two moments it did so.
func (d *driver) cut(made snapshot) error {
	if err := d.folder.copyTo(d.folder.volume(made.source.id), d.folder.snapshot(made.id)); err != nil {
		return err
	}
	return d.folder.noteCut(made, time.Now())
}

func (d *driver) describe(made snapshot) *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId:     made.id,
		SourceVolumeId: made.source.id,
		SizeBytes:      made.source.bytes,
		CreationTime:   timestamppb.New(made.cut),
		ReadyToUse:     time.Since(made.cut) >= d.lag && d.folder.order(made.source.claim) != unready,
	}
}

func (d *driver) DeleteSnapshot(
	_ context.Context, request *csi.DeleteSnapshotRequest,
) (*csi.DeleteSnapshotResponse, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if err := os.RemoveAll(d.folder.snapshot(request.SnapshotId)); err != nil {
		return nil, err
	}
	delete(d.snapshots, request.SnapshotId)
	return &csi.DeleteSnapshotResponse{}, nil
}

func (d *driver) ListSnapshots(
	_ context.Context, request *csi.ListSnapshotsRequest,
) (*csi.ListSnapshotsResponse, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	response := &csi.ListSnapshotsResponse{}
	for _, kept := range d.snapshots {
		if isAskedFor(kept, request) {
			if d.folder.order(kept.source.claim) == unready {
				return nil, status.Errorf(codes.Internal, "snapshot of %s is lost", kept.source.claim)
			}
			response.Entries = append(response.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: d.describe(kept)})
		}
	}
	sort.Slice(response.Entries, func(i, j int) bool {
		return response.Entries[i].Snapshot.SnapshotId < response.Entries[j].Snapshot.SnapshotId
	})
	return response, nil
}

func isAskedFor(kept snapshot, request *csi.ListSnapshotsRequest) bool {
	return (request.SnapshotId == "" || request.SnapshotId == kept.id) &&
		(request.SourceVolumeId == "" || request.SourceVolumeId == kept.source.id)
}
