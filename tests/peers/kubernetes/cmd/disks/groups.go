package main

import (
	"context"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (d *driver) GroupControllerGetCapabilities(
	context.Context, *csi.GroupControllerGetCapabilitiesRequest,
) (*csi.GroupControllerGetCapabilitiesResponse, error) {
	rpc := &csi.GroupControllerServiceCapability_RPC{
		Type: csi.GroupControllerServiceCapability_RPC_CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT,
	}
	kind := &csi.GroupControllerServiceCapability_Rpc{Rpc: rpc}
	return &csi.GroupControllerGetCapabilitiesResponse{
		Capabilities: []*csi.GroupControllerServiceCapability{{Type: kind}},
	}, nil
}

// CreateVolumeGroupSnapshot takes all of a group or none, as of one moment. It may be called again for a group that
// exists: the name is its identity.
func (d *driver) CreateVolumeGroupSnapshot(
	ctx context.Context, request *csi.CreateVolumeGroupSnapshotRequest,
) (*csi.CreateVolumeGroupSnapshotResponse, error) {
	sources, isNew, err := d.sources(request)
	if err != nil {
		return nil, err
	}
	if isNew {
		for _, source := range sources {
			if err := d.folder.obey(ctx, source.claim); err != nil {
				return nil, err
			}
		}
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if len(d.members(request.Name)) == 0 {
		if err := d.cutGroup(request.Name, sources); err != nil {
			return nil, err
		}
	}
	return &csi.CreateVolumeGroupSnapshotResponse{GroupSnapshot: d.describeGroup(request.Name)}, nil
}

// sources are the volumes of a group to take; they may be gone once there is one of that name.
func (d *driver) sources(request *csi.CreateVolumeGroupSnapshotRequest) (sources []volume, isNew bool, err error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if len(d.members(request.Name)) > 0 {
		return nil, false, nil
	}
	for _, id := range request.SourceVolumeIds {
		source, exists := d.volumes[id]
		if !exists {
			return nil, false, status.Errorf(codes.NotFound, "no volume %s", id)
		}
		sources = append(sources, source)
	}
	return sources, true, nil
}

func (d *driver) cutGroup(group string, sources []volume) error {
	moment := time.Now()
	for _, source := range sources {
		made := snapshot{id: group + "-" + source.id, source: source, cut: moment, group: group}
		if err := d.cut(made); err != nil {
			return err
		}
		d.snapshots[made.id] = made
	}
	return nil
}

// members are the snapshots of a group that have not been deleted.
func (d *driver) members(group string) []snapshot {
	var found []snapshot
	for _, kept := range d.snapshots {
		if kept.group == group {
			found = append(found, kept)
		}
	}
	return found
}

// describeGroup names the group in each of its snapshots, as the specification demands within a group's message. A
// list of snapshots does not name it: each of them may be deleted alone.
func (d *driver) describeGroup(group string) *csi.VolumeGroupSnapshot {
	described := &csi.VolumeGroupSnapshot{GroupSnapshotId: group, ReadyToUse: true}
	for _, member := range d.members(group) {
		one := d.describe(member)
		one.GroupSnapshotId = group
		described.Snapshots = append(described.Snapshots, one)
		described.CreationTime = timestamppb.New(member.cut)
		described.ReadyToUse = described.ReadyToUse && one.ReadyToUse
	}
	return described
}

func (d *driver) GetVolumeGroupSnapshot(
	_ context.Context, request *csi.GetVolumeGroupSnapshotRequest,
) (*csi.GetVolumeGroupSnapshotResponse, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if len(d.members(request.GroupSnapshotId)) == 0 {
		return nil, status.Errorf(codes.NotFound, "no group of snapshots %s", request.GroupSnapshotId)
	}
	return &csi.GetVolumeGroupSnapshotResponse{GroupSnapshot: d.describeGroup(request.GroupSnapshotId)}, nil
}

func (d *driver) DeleteVolumeGroupSnapshot(
	ctx context.Context, request *csi.DeleteVolumeGroupSnapshotRequest,
) (*csi.DeleteVolumeGroupSnapshotResponse, error) {
	for _, id := range request.SnapshotIds {
		if _, err := d.DeleteSnapshot(ctx, &csi.DeleteSnapshotRequest{SnapshotId: id}); err != nil {
			return nil, err
		}
	}
	return &csi.DeleteVolumeGroupSnapshotResponse{}, nil
}
